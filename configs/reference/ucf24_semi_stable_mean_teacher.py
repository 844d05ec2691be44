"""As released: Stable Mean Teacher, 10 % labels, UCF101-24.

python tools/train.py configs/reference/ucf24_semi_stable_mean_teacher.py

With SSVAD_SPLIT=10_seed47. Besides what ucf24_semi_mean_teacher.py in this folder
lists, the recovery network of the student sees unlabelled clips, too, and the ramp
counts twice. AAAI 2025, published: f-mAP@0.5 73.9, v-mAP@0.2 95.8, v-mAP@0.5 76.3. Not
yet reproduced here. Cost: 346 G multiply-adds per training clip.
"""

_base_ = ['ucf24_semi_mean_teacher.py']
model = dict(
    method=dict(type='StableMeanTeacher', balance='ramped_sum', recover_all=True)
)
