"""ucf24_semi_var.py on a Video Swin transformer (tiny) of MMAction2 instead of I3D.

python tools/train.py configs/backbones/ucf24_semi_var_swin.py

The first three of four stages, of strides 4, 8 and 16 in space and 2 in time, each
interpolated to twice its size for the head and averaged in time.

Weights of Kinetics-400 (MMAction2's swin-tiny-p244-w877, downloaded):
--cfg-options model.detector.backbone.init_cfg.type=Pretrained
model.detector.backbone.init_cfg.checkpoint=https://download.openmmlab.com/mmaction/v1.0/recognition/swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth

No published numbers: the paper has I3D only. Not yet trained here.
Cost: 392 G multiply-adds per training clip (8 x 224 x 224, two views).
"""  # noqa: E501

_base_ = ['../ucf24_semi_var.py']
backbone = dict(
    type='AdaptedBackbone',
    backbone=dict(
        type='SwinTransformer3D',
        arch=dict(embed_dims=96, depths=[2, 2, 6], num_heads=[3, 6, 12]),
        pretrained2d=False,
        out_indices=(0, 1, 2),
    ),
    taps=(0, 1, 2),
    in_channels=(96, 192, 384),
)
preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    detector=dict(backbone=dict(backbone, _delete_=True)),
    data_preprocessor=preprocessor,
)
