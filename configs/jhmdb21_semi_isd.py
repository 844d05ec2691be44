"""ISD, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/jhmdb21_semi_isd.py

As ucf24_semi_isd.py. Published by Stable Mean Teacher (AAAI 2025), in the capsule
protocol: f-mAP@0.5 57.8, v-mAP@0.2 90.2, v-mAP@0.5 57.0. Not yet reproduced here. Data:
see jhmdb21_sup.py. Cost as ucf24_semi_isd.py.
"""

_base_ = ['jhmdb21_semi_var.py']
model = dict(method=dict(_delete_=True, type='ISD'))
