"""ucf24_semi_var.py on an X3D-M of MMAction2 instead of I3D.

python tools/train.py configs/backbones/ucf24_semi_var_x3d.py

The last two stages do not halve space, so that the head gets a map of stride 8 as from
I3D. Time is not strided: frames are averaged for the head.

Weights of Kinetics-400 (MMAction2's x3d_m_16x5x1_facebook, downloaded):
--cfg-options model.detector.backbone.init_cfg.type=Pretrained
model.detector.backbone.init_cfg.checkpoint=https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/x3d_m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a.pth

No published numbers: the paper has I3D only. Not yet trained here.
Cost: 368 G multiply-adds per training clip (8 x 224 x 224, two views).
"""  # noqa: E501

_base_ = ['../ucf24_semi_var.py']
backbone = dict(
    type='AdaptedBackbone',
    backbone=dict(
        type='X3D',
        gamma_w=1.0,
        gamma_b=2.25,
        gamma_d=2.2,
        spatial_strides=(2, 2, 1, 1),
    ),
    taps=('conv1_t', 'layer1', 'conv5'),
    in_channels=(24, 24, 432),
)
preprocessor = dict(mean=[114.75, 114.75, 114.75], std=[57.38, 57.38, 57.38])
model = dict(
    detector=dict(backbone=dict(backbone, _delete_=True)),
    data_preprocessor=preprocessor,
)
