# Labelled and unlabelled clips 1:1 in a batch, each with its mirror image. One epoch is
# one pass over the unlabelled list.
_base_ = ['./toy.py']
views = dict(type='PairedViews', base=[], flip=[dict(type='Flip', flip_ratio=1.0)])
unlabeled_split = 'splits/unlabeled.txt'
shared_flip = dict(type='Flip', flip_ratio=0.5)  # classes do not know left from right
labeled_pipeline = [*_base_.labeled_clip, shared_flip, views, *_base_.pack_clip]
unlabeled_pipeline = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    *_base_.decode,
    dict(type='DropLabels'),
    dict(type='RandomCrop', size=_base_.clip_size),
    shared_flip,
    views,
    *_base_.pack_clip,
]
train_dataloader = dict(
    _delete_=True,
    **_base_.loader,
    batch_size=8,
    sampler=dict(type='MixedSampler', ratio=(1, 1)),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                **_base_.source,
                split_file=_base_.labeled_split,
                pipeline=labeled_pipeline,
            ),
            dict(
                **_base_.source,
                split_file=unlabeled_split,
                on_error='skip',
                pipeline=unlabeled_pipeline,
            ),
        ],
    ),
)
