"""Supervised baseline on the toy world: the labelled 20 % of the videos only.

python tools/make_toy_dataset.py --out-dir data/toy
python tools/train.py configs/toy_sup.py

Iterations and labelled clips in a batch are those of toy_semi_var.py: 40 an epoch.
tools/benchmark_methods.py runs it on a tenth of the labels and on all, the two lines
between which semi-supervised methods are to be found.
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_cosine_16e.py',
    '_base_/models/i3d_capsules_toy.py',
    '_base_/datasets/toy.py',
]
model = dict(**_base_.detector, data_preprocessor=_base_.data_preprocessor)
default_hooks = dict(logger=dict(interval=10))
