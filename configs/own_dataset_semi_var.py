"""Your own videos: a handful annotated, the rest not; docs/your_own_dataset.md.

python tools/train.py configs/own_dataset_semi_var.py

$SSVAD_OWN (data/mine) holds videos/ (any number of folders deep), annotations.json and
splits/{labeled,unlabeled,test}.txt, which tools/split_folder.py writes. Classes, and so
the size of the last layer, are those of annotations.json.

SSVAD_SIZE=112 takes clips of 8 x 112 x 112 instead of 224 x 224, a quarter of the work.
SSVAD_NETWORK=i3d_capsules_toy (a file of _base_/models) takes a network of a quarter of
the width, to try everything out on a CPU.

The config that training writes into its work folder has all this resolved: test and
infer with that one, and no variable needs to be set any more.

Attention as in ucf24_semi_var.py. The same without what unlabelled videos teach, to see
what they bring: --cfg-options model.method.loss_weight=0
Cost: 364 G multiply-adds per training clip (8 x 224 x 224, two views).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_100e.py',
    '_base_/models/{{$SSVAD_NETWORK:i3d_capsules}}.py',
    '_base_/datasets/own.py',
]
head = dict(_base_.detector.head, num_classes=len(_base_.classes))
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
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=10))
if '{{$SSVAD_NETWORK:i3d_capsules}}' == 'i3d_capsules_toy':
    optim_wrapper = dict(optimizer=dict(lr=2e-3))  # from scratch, and small
