"""As released: plain L2 consistency, 20 % labels, UCF101-24.

python tools/train.py configs/reference/ucf24_semi_l2.py

ucf24_semi_var.py beside this file says what all presets of this folder change.

Paper: Kumar & Rawat, CVPR 2022, Table 1, "LC". Published, in the capsule protocol:
v-mAP@0.5 71.8. Not yet reproduced here. Cost as ../ucf24_semi_var.py.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(method=dict(attention=None))
