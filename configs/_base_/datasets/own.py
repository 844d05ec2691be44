# Videos of any size and length in one folder, some of them annotated. SSVAD_OWN is the
# folder with videos/, annotations.json and splits/; SSVAD_SIZE the side of a clip.
data_root = '{{$SSVAD_OWN:data/mine}}'
size = int('{{$SSVAD_SIZE:224}}')
try:
    # not an import statement: mmengine would take this for a config of another kind
    classes = __import__('json').loads(
        __import__('pathlib').Path(data_root, 'annotations.json').read_bytes()
    )['classes']
except FileNotFoundError:
    classes = ['?']  # the data set, once it is needed, says what is missing
source = dict(
    type='TubeDataset',
    data_root=data_root,
    ann_file='annotations.json',
    data_prefix=dict(video='videos'),
)
decode = [dict(type='OpenVideo'), dict(type='DecordDecode')]
# all of the frame, whatever its shape, a little larger than the crops of training
whole = size // 7 * 8
squeeze = dict(
    type='Resize', scale=(whole, whole), keep_ratio=False, interpolation='area'
)
crop = dict(type='RandomCrop', size=size)
views = dict(type='PairedViews', base=[], flip=[dict(type='Flip', flip_ratio=1.0)])
pack_clip = [
    dict(type='AlignMask'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='PackActionInputs',
        algorithm_keys=('gt_mask',),
        meta_keys=('video_id', 'frame_inds', 'views'),
    ),
]
labeled_pipeline = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    *decode,
    dict(type='TubesToMask'),
    squeeze,
    crop,
    views,
    *pack_clip,
]
unlabeled_pipeline = [
    dict(type='CountFrames'),
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2, trimmed=False),
    dict(type='OpenVideo'),
    dict(type='DecordDecode'),
    squeeze,
    crop,
    views,
    *pack_clip,
]
test_pipeline = [
    dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
    *decode,
    dict(type='TubesToMask'),
    squeeze,
    dict(type='CenterCrop', crop_size=whole),
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
    num_workers=2,
    persistent_workers=False,  # with EpochSeedHook, so that resuming repeats a run
    worker_init_fn=dict(type='seed_worker'),
)
train_dataloader = dict(
    **loader,
    batch_size=8,
    sampler=dict(type='MixedSampler', ratio=(1, 1)),
    dataset=dict(
        type='ConcatDataset',
        ignore_keys=['classes'],  # the folder knows none
        datasets=[
            dict(**source, split_file='splits/labeled.txt', pipeline=labeled_pipeline),
            dict(
                type='VideoFolder',
                data_root=data_root,
                data_prefix=dict(video='videos'),
                split_file='splits/unlabeled.txt',
                pipeline=unlabeled_pipeline,
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
val_evaluator = dict(type='FrameVideoMAP')
test_evaluator = val_evaluator
