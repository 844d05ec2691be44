"""MixMatch, 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_mixmatch.py

Berthelot et al., NeurIPS 2019. Published for this detector by Kumar & Rawat, CVPR 2022,
Table 3, in the capsule protocol: f-mAP@0.5 20.2, v-mAP@0.2 60.2, v-mAP@0.5 13.8, near
collapse. Not yet reproduced here; the paper names no settings.
Cost: 394 G multiply-adds per training clip (two views are guessed on, without backward
pass; three mixtures for two clips are learnt from).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_100e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/ucf24_weak_strong.py',
]
model = dict(
    type='SemiDetector',
    detector=_base_.detector,
    method=dict(type='MixMatch', loss_weight=1.0),
    data_preprocessor=_base_.data_preprocessor,
)
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
