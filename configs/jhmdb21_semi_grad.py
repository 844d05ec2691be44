"""Gradient-smoothness attention, 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_grad.py

Paper: Kumar & Rawat, CVPR 2022, Table 2, "G". Published, in the capsule protocol on
puppet masks, mean of three runs: f-mAP@0.5 63.2, v-mAP@0.5 63.1. Not yet reproduced
here. Data: see jhmdb21_sup.py. The row "G + L2" is an override, as in
ucf24_semi_grad.py. Cost as jhmdb21_semi_var.py.
"""

_base_ = ['jhmdb21_semi_var.py']
model = dict(
    method=dict(attention=dict(_delete_=True, type='GradientSmoothness')),
)
