"""As released: Mean Teacher, 20 % labels, JHMDB-21.

python tools/train.py configs/reference/jhmdb21_semi_mean_teacher.py

With SSVAD_SPLIT=20_seed47. As ucf24_semi_mean_teacher.py in this folder, and two things
that the release does on JHMDB-21: the network is fed BGR, and the learning rate stays.
Published: see ../jhmdb21_semi_mean_teacher.py; not yet reproduced here.
Cost: 242 G multiply-adds per training clip.
"""

_base_ = ['../jhmdb21_semi_mean_teacher.py']
train_dataloader = _base_.train_dataloader
for part in train_dataloader.dataset.datasets:
    for transform in part.pipeline:
        if transform.type == 'PairedViews':
            transform.strong[0].released_blur = True
del part, transform
model = dict(
    detector=dict(loss_cls=dict(divide_twice=True)),
    teacher=dict(buffers='own', mode='train'),
    data_preprocessor=dict(to_rgb=True),  # swaps the colours of RGB frames
)
param_scheduler = None
