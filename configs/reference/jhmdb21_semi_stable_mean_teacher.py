"""As released: Stable Mean Teacher, 20 % labels, JHMDB-21.

python tools/train.py configs/reference/jhmdb21_semi_stable_mean_teacher.py

With SSVAD_SPLIT=20_seed47. See ucf24_semi_stable_mean_teacher.py and
jhmdb21_semi_mean_teacher.py in this folder. AAAI 2025, published: f-mAP@0.5 69.8,
v-mAP@0.2 98.8, v-mAP@0.5 70.7. Not yet reproduced here.
Cost: 346 G multiply-adds per training clip.
"""

_base_ = ['jhmdb21_semi_mean_teacher.py']
model = dict(
    method=dict(type='StableMeanTeacher', balance='ramped_sum', recover_all=True)
)
