"""Mean Teacher, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/jhmdb21_semi_mean_teacher.py

As ucf24_semi_mean_teacher.py, with the weight rising over 16 epochs. Published by
Stable Mean Teacher (AAAI 2025), in the capsule protocol: f-mAP@0.5 56.3,
v-mAP@0.2 88.8, v-mAP@0.5 52.8. Not yet reproduced here. Data: see jhmdb21_sup.py.
Cost as ucf24_semi_mean_teacher.py.
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_50e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/jhmdb21_weak_strong.py',
]
head = dict(_base_.detector.head, num_classes=21)
model = dict(
    type='SemiDetector',
    detector=dict(_base_.detector, head=head),
    method=dict(
        type='MeanTeacher', loss_weight=0.1, ramp=dict(kind='sigmoid', length=16)
    ),
    teacher=dict(decay=0.99),
    data_preprocessor=_base_.data_preprocessor,
)
val_cfg = dict(type='TeacherStudentValLoop')
test_cfg = dict(type='TeacherStudentTestLoop')
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
