# JHMDB-21, labelled part of split 1; set SSVAD_JHMDB21 to where the data is. Frames are
# squeezed to 256 x 256 before the crop, as in the released code; AlignMask repeats both
# on the puppet masks, nearest neighbour.
data_root = '{{$SSVAD_JHMDB21:data/jhmdb21}}'
labeled_split = 'splits/{{$SSVAD_SPLIT:30_seed47}}/labeled.txt'
source = dict(
    type='TubeDataset',
    data_root=data_root,
    ann_file='annotations.json',
    data_prefix=dict(video='ReCompress_Videos', mask='masks'),
)
decode = [dict(type='OpenVideo'), dict(type='DecordDecode')]
squeeze = dict(type='Resize', scale=(256, 256), keep_ratio=False, interpolation='area')
labeled_clip = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    *decode,
    dict(type='TubesToMask'),
    squeeze,
    dict(type='RandomCrop', size=224),
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
    squeeze,
    dict(type='CenterCrop', crop_size=224),
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
    num_workers=4,
    persistent_workers=False,  # with EpochSeedHook, so that resuming repeats a run
    worker_init_fn=dict(type='seed_worker'),
)
train_dataloader = dict(
    **loader,
    batch_size=8,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **source,
        split_file=labeled_split,
        pipeline=[*labeled_clip, dict(type='Flip', flip_ratio=0.5), *pack_clip],
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
val_evaluator = dict(type='FrameVideoMAP')
test_evaluator = val_evaluator
