"""Flagship: temporal-coherence (variance) attention, 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_var.py

Paper: Kumar & Rawat, CVPR 2022, Table 2, "VC + L2". Published, in the capsule protocol:
f-mAP@0.5 69.9, v-mAP@0.2 95.7, v-mAP@0.5 72.1. Not yet reproduced here.
Cost: 364 G multiply-adds per training clip (8 x 224 x 224, two views).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_100e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/ucf24_flip_pair.py',
]
model = dict(
    type='SemiDetector',
    detector=_base_.detector,
    method=dict(
        type='SemiSupConsistency',
        loss_weight=0.1,
        attention=dict(type='CyclicVariance', window=5),
    ),
    data_preprocessor=_base_.data_preprocessor,
)
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
