# I3D to Mixed_4f with the capsule head: 48.0 M parameters, clips of 8 x 224 x 224.
# Set SSVAD_I3D to where the pretrained I3D is (tools/convert_checkpoint.py writes it).
detector = dict(
    type='MaskDetector',
    backbone=dict(
        type='I3D',
        out_endpoints=('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f'),
        init_cfg=dict(
            type='OptionalPretrained',
            checkpoint='{{$SSVAD_I3D:data/pretrained/i3d_rgb_charades.pth}}',
        ),
    ),
    head=dict(type='CapsuleRoutingHead', num_classes=24),
    loss_cls=dict(type='SpreadLoss', margin=0.2),
    loss_mask=dict(type='MaskLoss'),
    warmup_epochs=10,
)
data_preprocessor = dict(
    type='ActionDataPreprocessor',
    mean=[0.0, 0.0, 0.0],
    std=[255.0, 255.0, 255.0],
    format_shape='NCTHW',
)
