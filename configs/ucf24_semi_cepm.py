"""CEPM, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/ucf24_semi_cepm.py

Li et al., "Class-aware Entropy-guided Progressive Masking for Semi-Supervised Video
Action Detection", 2026. Released for JHMDB-21 only (see jhmdb21_semi_cepm.py); the same
settings here. Numbers on UCF101-24 were not legible to us; not yet reproduced.
Ablations: --cfg-options model.method.enhancement=None, model.method.mask_weight=0,
model.method.class_weight=0.

Cost: 242 G multiply-adds per training clip (8 x 224 x 224), from epoch 11 on up to
273 G, nothing more at inference; the queues take 0.33 GB.
"""

_base_ = ['ucf24_semi_mean_teacher.py']
model = dict(
    method=dict(
        type='CEPM',
        loss_weight=0.3,
        enhancement=dict(type='ClassFeatureEnhancement', num_classes=24),
    )
)
