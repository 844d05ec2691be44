"""Variance and gradient attention, half each, on the toy world.

python tools/train.py configs/toy_semi_both.py

As reference/ucf24_semi_both.py, without what is peculiar to the released code.
"""

_base_ = ['toy_semi_var.py']
attention = [_base_.model.method.attention, dict(type='GradientSmoothness')]
model = dict(method=dict(attention=attention))
