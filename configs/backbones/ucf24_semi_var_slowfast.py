"""ucf24_semi_var.py on a SlowFast ResNet-50 of MMAction2 instead of I3D.

python tools/train.py configs/backbones/ucf24_semi_var_slowfast.py

Of the 8 frames of a clip the fast path sees all and the slow path every fourth. The
network ends with the third stage, whose space is not halved, so that the head gets a map
of stride 8 as from I3D. Maps of both paths go to the head together.

Weights of Kinetics-400 (MMAction2's slowfast_r50_8xb8-8x8x1-256e, downloaded):
--cfg-options model.detector.backbone.init_cfg.type=Pretrained
model.detector.backbone.init_cfg.checkpoint=https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb_20220818-1cb6dfc8.pth

No published numbers: the paper has I3D only. Not yet trained here.
Cost: 430 G multiply-adds per training clip (8 x 224 x 224, two views).
"""  # noqa: E501

_base_ = ['../ucf24_semi_var.py']
path = dict(
    type='resnet3d',
    depth=50,
    pretrained=None,
    num_stages=3,
    out_indices=(2,),
    spatial_strides=(1, 2, 1),
    temporal_strides=(1, 1, 1),
    dilations=(1, 1, 1),
    conv1_stride_t=1,
    pool1_stride_t=1,
)
backbone = dict(
    type='AdaptedBackbone',
    backbone=dict(
        type='ResNet3dSlowFast',
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=8,
        slow_pathway=dict(
            path,
            lateral=True,
            fusion_kernel=7,
            conv1_kernel=(1, 7, 7),
            inflate=(0, 0, 1),
        ),
        fast_pathway=dict(
            path,
            lateral=False,
            base_channels=8,
            conv1_kernel=(5, 7, 7),
            inflate=(1, 1, 1),
        ),
    ),
    taps=(
        ('slow_path.conv1', 'fast_path.conv1'),
        ('slow_path.layer1', 'fast_path.layer1'),
        (0, 1),
    ),
    in_channels=(64 + 8, 256 + 32, 1024 + 128),
)
preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    detector=dict(backbone=dict(backbone, _delete_=True)),
    data_preprocessor=preprocessor,
)
