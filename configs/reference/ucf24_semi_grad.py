"""As released: gradient attention, 20 % labels, UCF101-24.

python tools/train.py configs/reference/ucf24_semi_grad.py

ucf24_semi_var.py beside this file says what all presets of this folder change. Here
moreover the curvature keeps its sign, and every clip is weighed by the mean map of the
batch (released option --gv).

Paper: Kumar & Rawat, CVPR 2022, Table 2, "G". Published, in the capsule protocol:
f-mAP@0.5 69.6, v-mAP@0.5 72.4. Not yet reproduced here. Cost as ../ucf24_semi_var.py.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(
    method=dict(
        attention=dict(
            _delete_=True, type='GradientSmoothness', signed=True, batch_mean=True
        )
    )
)
