"""ISD, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/ucf24_semi_isd.py

Jeong et al., CVPR 2021. Published for this detector by Stable Mean Teacher (AAAI 2025),
in the capsule protocol: f-mAP@0.5 60.2, v-mAP@0.2 91.3, v-mAP@0.5 64.0. Not yet
reproduced here. Cost: 546 G multiply-adds per training clip (three forward passes).
"""

_base_ = ['ucf24_semi_var.py']
model = dict(method=dict(_delete_=True, type='ISD'))
