"""Pseudo-labels in the course of training, on the toy world.

python tools/train.py configs/toy_semi_pseudo_label.py

As ucf24_semi_pseudo_label.py, with four classes.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(_delete_=True, type='PseudoLabel'))
