"""ISD on the toy world.

python tools/train.py configs/toy_semi_isd.py

As ucf24_semi_isd.py, with the weight 0.1 of the other methods: with 1 the masks of so
short a training collapse in its first epoch.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(_delete_=True, type='ISD', loss_weight=0.1))
