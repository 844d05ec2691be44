"""As released: Mean Teacher, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/reference/ucf24_semi_mean_teacher.py

What the release of Stable Mean Teacher (AAAI 2025), whose baseline this is, does and
the config one folder up does not: the teacher runs in training mode with statistics of
its own; the class loss is divided by the number of labelled clips twice; the blur is
vertical only. Published: see ucf24_semi_mean_teacher.py; not yet reproduced here.
Cost: 242 G multiply-adds per training clip.
"""

_base_ = ['../ucf24_semi_mean_teacher.py']
train_dataloader = _base_.train_dataloader
for part in train_dataloader.dataset.datasets:
    for transform in part.pipeline:
        if transform.type == 'PairedViews':
            transform.strong[0].released_blur = True
del part, transform
model = dict(
    detector=dict(loss_cls=dict(divide_twice=True)),
    teacher=dict(buffers='own', mode='train'),
)
