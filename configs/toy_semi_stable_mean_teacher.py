"""Stable Mean Teacher on the toy world.

python tools/train.py configs/toy_semi_stable_mean_teacher.py

As ucf24_semi_stable_mean_teacher.py, with an error recovery network of half the width.
"""

_base_ = ['toy_semi_mean_teacher.py']
model = dict(
    method=dict(type='StableMeanTeacher', recovery=dict(type='ErrorRecovery', width=8)),
)
