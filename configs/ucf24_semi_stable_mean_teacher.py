"""Stable Mean Teacher, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/ucf24_semi_stable_mean_teacher.py

AAAI 2025. Published, in the capsule protocol: f-mAP@0.5 73.9, v-mAP@0.2 95.8,
v-mAP@0.5 76.3. Not yet reproduced here. The released behaviour of teacher and losses is
reference/ucf24_semi_stable_mean_teacher.py. Ablations: --cfg-options
model.method.recovery=None leaves out the error recovery.

Cost: 307 G multiply-adds per training clip (8 x 224 x 224); nothing more at inference.
"""

_base_ = ['ucf24_semi_mean_teacher.py']
model = dict(method=dict(type='StableMeanTeacher'))
