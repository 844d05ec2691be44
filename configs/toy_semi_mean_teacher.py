"""Mean Teacher on the toy world.

python tools/train.py configs/toy_semi_mean_teacher.py

As ucf24_semi_mean_teacher.py; student and teacher are both evaluated.
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_cosine_16e.py',
    '_base_/models/i3d_capsules_toy.py',
    '_base_/datasets/toy_weak_strong.py',
]
model = dict(
    type='SemiDetector',
    detector=_base_.detector,
    method=dict(type='MeanTeacher', loss_weight=0.1),
    teacher=dict(decay=0.99),
    data_preprocessor=_base_.data_preprocessor,
)
val_cfg = dict(type='TeacherStudentValLoop')
test_cfg = dict(type='TeacherStudentTestLoop')
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=8)]
default_hooks = dict(logger=dict(interval=10))
