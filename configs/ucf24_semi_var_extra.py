"""ucf24_semi_var.py with more unlabelled videos, from any folder.

SSVAD_EXTRA=/path/to/videos python tools/train.py configs/ucf24_semi_var_extra.py

Unlabelled are the unlabelled list of UCF101-24 and all videos below $SSVAD_EXTRA
(data/extra), without regard to size, length or content; damaged files are skipped with
a warning. Keep test videos out of that folder, or name the videos to use in a list:
--cfg-options train_dataloader.dataset.datasets.1.datasets.1.split_file=list.txt

Paper: Kumar & Rawat, CVPR 2022, Figure 4, which adds the other 77 classes of UCF101, or
Kinetics-400: both help, UCF101 more; no numbers in the text. Not yet reproduced here.
Cost per clip as ucf24_semi_var.py; an epoch is one pass over all unlabelled videos.
"""

_base_ = ['ucf24_semi_var.py']
labeled, unlabeled = _base_.train_dataloader.dataset.datasets
extra = dict(
    type='VideoFolder',
    data_prefix=dict(video='{{$SSVAD_EXTRA:data/extra}}'),
    pipeline=[
        dict(type='CountFrames'),
        dict(type='SampleTubeClip', clip_len=8, frame_interval=2, trimmed=False),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 240)),  # the height of UCF101, for the crop
        dict(type='RandomCrop', size=224),
        _base_.views,
        *_base_.pack_clip,
    ],
)
# one source for the sampler, although the folder knows no classes
unlabeled = dict(
    type='ConcatDataset', datasets=[unlabeled, extra], ignore_keys=['classes']
)
train_dataloader = dict(dataset=dict(datasets=[labeled, unlabeled]))
