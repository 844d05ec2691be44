"""Mean Teacher, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/ucf24_semi_mean_teacher.py

Tarvainen & Valpola, NeurIPS 2017, as the baseline of Stable Mean Teacher (AAAI 2025)
has it. Published there, in the capsule protocol: f-mAP@0.5 67.3, v-mAP@0.2 92.7,
v-mAP@0.5 70.5. Not yet reproduced here. Student and teacher are both evaluated; the
published numbers are the student's.

Cost: 242 G multiply-adds per training clip (8 x 224 x 224).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_50e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/ucf24_weak_strong.py',
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
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
