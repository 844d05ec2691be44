# Labelled and unlabelled clips 1:1 in a batch, each with its mirror image. One epoch is
# one pass over the unlabelled list.
_base_ = ['./jhmdb21.py']
views = dict(type='PairedViews', base=[], flip=[dict(type='Flip', flip_ratio=1.0)])
unlabeled_split = 'splits/{{$SSVAD_SPLIT:30_seed47}}/unlabeled.txt'
labeled_pipeline = [*_base_.labeled_clip, views, *_base_.pack_clip]
unlabeled_pipeline = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    *_base_.decode,
    dict(type='DropLabels'),
    _base_.squeeze,
    dict(type='RandomCrop', size=224),
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
