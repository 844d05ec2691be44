"""Gradient-smoothness attention, 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_grad.py

Paper: Kumar & Rawat, CVPR 2022, Table 2, "G". Published, in the capsule protocol:
f-mAP@0.5 69.6, v-mAP@0.5 72.4. Not yet reproduced here. Cost as ucf24_semi_var.py.
"G + L2", 69.4 and 72.0: --cfg-options model.method.attention.ramped=True
"""

_base_ = ['ucf24_semi_var.py']
model = dict(
    method=dict(attention=dict(_delete_=True, type='GradientSmoothness')),
)
