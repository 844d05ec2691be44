"""CSD on the toy world, classes and masks.

python tools/train.py configs/toy_semi_csd.py

As ucf24_semi_csd.py, with its mask term.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(_delete_=True, type='CSD', mask_weight=1.0))
