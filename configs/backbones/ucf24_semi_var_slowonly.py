"""ucf24_semi_var.py on a SlowOnly ResNet-50 of MMAction2 instead of I3D.

python tools/train.py configs/backbones/ucf24_semi_var_slowonly.py

The network ends with the third stage, whose space is not halved, so that the head gets a
map of stride 8 as from I3D. Time is not strided: frames are averaged for the head.

Weights of Kinetics-400 (MMAction2's slowonly_r50_8xb16-8x8x1-256e, downloaded):
--cfg-options model.detector.backbone.init_cfg.type=Pretrained
model.detector.backbone.init_cfg.checkpoint=https://download.openmmlab.com/mmaction/v1.0/recognition/slowonly/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb/slowonly_r50_8xb16-8x8x1-256e_kinetics400-rgb_20220901-2132fc87.pth

No published numbers: the paper has I3D only. Not yet trained here.
Cost: 761 G multiply-adds per training clip (8 x 224 x 224, two views).
"""  # noqa: E501

_base_ = ['../ucf24_semi_var.py']
backbone = dict(
    type='AdaptedBackbone',
    backbone=dict(
        type='ResNet3dSlowOnly',
        depth=50,
        lateral=False,
        num_stages=3,
        spatial_strides=(1, 2, 1),
        temporal_strides=(1, 1, 1),
        dilations=(1, 1, 1),
        inflate=(0, 0, 1),
        out_indices=(2,),
    ),
    taps=('conv1', 'layer1', 'layer3'),
    in_channels=(64, 256, 1024),
)
preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    detector=dict(backbone=dict(backbone, _delete_=True)),
    data_preprocessor=preprocessor,
)
