# The toy world of tools/make_toy_dataset.py: 40 x 32 videos, crops of 32 x 32 in
# training, whole frames in testing.
data_root = '{{$SSVAD_TOY:data/toy}}'
labeled_split = 'splits/labeled.txt'
clip_size = 32
source = dict(
    type='TubeDataset',
    data_root=data_root,
    ann_file='annotations.json',
    data_prefix=dict(video='videos'),
)
decode = [dict(type='OpenVideo'), dict(type='DecordDecode')]
labeled_clip = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    *decode,
    dict(type='TubesToMask'),
    dict(type='RandomCrop', size=clip_size),
]
pack_clip = [
    dict(type='AlignMask'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='PackActionInputs',
        algorithm_keys=('gt_mask',),
        meta_keys=('video_id', 'frame_inds', 'views'),
    ),
]
test_pipeline = [
    dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
    *decode,
    dict(type='TubesToMask'),
    dict(type='CenterCrop', crop_size=(40, 32)),
    dict(type='AlignMask'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='PackActionInputs',
        algorithm_keys=('gt_mask',),
        meta_keys=(
            'video_id',
            'total_frames',
            'frame_inds',
            'frame_valid',
            'original_shape',
            'crop_quadruple',
            'crop_quadruples',
            'gt_tubes',
            'tube_labels',
        ),
    ),
]
loader = dict(
    num_workers=1,
    persistent_workers=False,  # with EpochSeedHook, so that resuming repeats a run
    worker_init_fn=dict(type='seed_worker'),
)
train_dataloader = dict(
    **loader,
    batch_size=4,  # the labelled half of a semi-supervised batch
    # as many iterations an epoch as the semi-supervised runs, the same labelled clips
    sampler=dict(type='MixedSampler', ratio=(1,), num_rounds=160),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                **source,
                split_file=labeled_split,
                pipeline=[*labeled_clip, dict(type='Flip', flip_ratio=0.5), *pack_clip],
            ),
        ],
    ),
)
val_dataloader = dict(
    **loader,
    batch_size=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split_file='splits/test.txt', pipeline=test_pipeline, test_mode=True
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='FrameVideoMAP', linker=dict(min_len=8), mask_to_box=dict(min_area=8)
)
test_evaluator = val_evaluator
