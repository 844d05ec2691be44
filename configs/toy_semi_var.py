"""Semi-supervised training on the toy world, some minutes on two CPU cores.

make demo, or:
python tools/make_toy_dataset.py --out-dir data/toy
python tools/train.py configs/toy_semi_var.py

Temporal-coherence (variance) attention as in ucf24_semi_var.py, 20 % labels. Other
methods are one dict away, e.g. plain L2 by --cfg-options model.method.attention=None.
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_cosine_16e.py',
    '_base_/models/i3d_capsules_toy.py',
    '_base_/datasets/toy_flip_pair.py',
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
custom_hooks = [*_base_.custom_hooks, dict(type='ViewPictureHook', interval=8)]
default_hooks = dict(logger=dict(interval=10))
