"""Stable Mean Teacher, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/jhmdb21_semi_stable_mean_teacher.py

AAAI 2025. Published, in the capsule protocol: f-mAP@0.5 69.8, v-mAP@0.2 98.8,
v-mAP@0.5 70.7. Not yet reproduced here. The release trains at a constant learning rate
here: --cfg-options param_scheduler=None. Data: see jhmdb21_sup.py. Cost as UCF101-24.
"""

_base_ = ['jhmdb21_semi_mean_teacher.py']
model = dict(method=dict(type='StableMeanTeacher'))
