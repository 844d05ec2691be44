# Labelled and unlabelled clips 1:1 in a batch, each in two views of the same frames,
# crop and flip: as it is, and in other colours (Stable Mean Teacher). One epoch is one
# pass over the unlabelled list. Blur of the released code: --cfg-options, N = 0 and 1,
# train_dataloader.dataset.datasets.N.pipeline.8.strong.0.released_blur=True
_base_ = ['./jhmdb21.py']
timing = dict(type='RandomTiming')
shared_flip = dict(type='Flip', flip_ratio=0.5)
views = dict(type='PairedViews', weak=[], strong=[dict(type='StrongPhotometric')])
unlabeled_split = 'splits/{{$SSVAD_SPLIT:30_seed47}}/unlabeled.txt'
sample, *load = _base_.labeled_clip
*align, pack = _base_.pack_clip
meta_keys = ('video_id', 'frame_inds', 'views', 'photometric')
pack_clip = [*align, dict(pack, meta_keys=meta_keys)]
labeled_pipeline = [sample, timing, *load, shared_flip, views, *pack_clip]
unlabeled_pipeline = [
    sample,
    timing,
    *_base_.decode,
    dict(type='DropLabels'),
    _base_.squeeze,
    dict(type='RandomCrop', size=224),
    shared_flip,
    views,
    *pack_clip,
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
