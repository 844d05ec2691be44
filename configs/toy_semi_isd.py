"""ISD on the toy world.

python tools/train.py configs/toy_semi_isd.py

As ucf24_semi_isd.py.
"""

_base_ = ['toy_semi_var.py']
model = dict(method=dict(_delete_=True, type='ISD'))
