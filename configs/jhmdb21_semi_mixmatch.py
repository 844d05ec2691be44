"""MixMatch, 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_mixmatch.py

As ucf24_semi_mixmatch.py. Published by Kumar & Rawat, CVPR 2022, Table 3, in the
capsule protocol: f-mAP@0.5 7.5, v-mAP@0.2 46.2, v-mAP@0.5 5.8, near collapse. Not yet
reproduced here. Data: see jhmdb21_sup.py. Cost as ucf24_semi_mixmatch.py.
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
    method=dict(type='MixMatch', loss_weight=1.0),
    data_preprocessor=_base_.data_preprocessor,
)
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
