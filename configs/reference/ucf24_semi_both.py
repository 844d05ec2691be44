"""As released: variance and gradient attention, half each, 20 % labels, UCF101-24.

python tools/train.py configs/reference/ucf24_semi_both.py

ucf24_semi_var.py beside this file says what all presets of this folder change; both
maps are those of ucf24_semi_var.py and ucf24_semi_grad.py (released options --bv --gv
--n_frames 5). The paper has no row for the two together. Cost as ../ucf24_semi_var.py.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(
    method=dict(
        attention=[
            _base_.model.method.attention,
            dict(type='GradientSmoothness', signed=True, batch_mean=True),
        ]
    )
)
