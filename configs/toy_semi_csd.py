"""CSD on the toy world, classes and masks.

python tools/train.py configs/toy_semi_csd.py

As ucf24_semi_csd.py, with its mask term and the weight 0.1 of the other methods.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(_delete_=True, type='CSD', loss_weight=0.1, mask_weight=1.0))
