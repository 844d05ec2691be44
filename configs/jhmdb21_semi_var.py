"""Temporal-coherence (variance) attention, 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_var.py

Paper: Kumar & Rawat, CVPR 2022, Tables 2 and 3, "VC + L2". Published, in the capsule
protocol on puppet masks, mean of three runs: f-mAP@0.5 64.4, v-mAP@0.2 95.4,
v-mAP@0.5 63.5. Not yet reproduced here. Data, masks and colours: see jhmdb21_sup.py.
The rows "V", "VC" and "V + L2" are overrides, as in ucf24_semi_var.py.
Cost: 364 G multiply-adds per training clip (8 x 224 x 224, two views).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_50e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/jhmdb21_flip_pair.py',
]
head = dict(_base_.detector.head, num_classes=21)
model = dict(
    type='SemiDetector',
    detector=dict(_base_.detector, head=head),
    method=dict(
        type='SemiSupConsistency',
        loss_weight=0.1,
        attention=dict(type='CyclicVariance', window=5),
    ),
    data_preprocessor=_base_.data_preprocessor,
)
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=10)]
