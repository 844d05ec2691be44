"""CSD ("Co-SSD (CC)"), 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_csd.py

As ucf24_semi_csd.py. Published by Kumar & Rawat, CVPR 2022, Table 3, in the capsule
protocol: f-mAP@0.5 60.7, v-mAP@0.2 94.3, v-mAP@0.5 58.5. Not yet reproduced here. Data:
see jhmdb21_sup.py. Cost as jhmdb21_semi_var.py.
"""

_base_ = ['jhmdb21_semi_var.py']
model = dict(method=dict(_delete_=True, type='CSD'))
