"""Gradient-smoothness attention on the toy world.

python tools/train.py configs/toy_semi_grad.py

As ucf24_semi_grad.py.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(attention=dict(_delete_=True, type='GradientSmoothness')))
