"""Flagship: temporal-coherence (variance) attention, 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_var.py

Paper: Kumar & Rawat, CVPR 2022, Tables 2 and 3, "VC + L2". Published, in the capsule
protocol: f-mAP@0.5 69.9, v-mAP@0.2 95.7, v-mAP@0.5 72.1. Not yet reproduced here.

Other rows of Table 2 (f-mAP@0.5, v-mAP@0.5):
"V" 68.3, 70.3: --cfg-options model.method.attention.ramped=False
model.method.attention.type=TemporalVariance
"VC" 68.4, 70.8: --cfg-options model.method.attention.ramped=False
"V + L2" 68.8, 71.6: --cfg-options model.method.attention.type=TemporalVariance
Table 4, untrimmed unlabelled videos, 69.5, 71.3:
--cfg-options train_dataloader.dataset.datasets.1.pipeline.0.trimmed=False

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
