# The same detector at a quarter of the width and less deep, for clips of 8 x 32 x 32 on
# a CPU.
detector = dict(
    type='MaskDetector',
    backbone=dict(
        type='I3D',
        out_endpoints=('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4b'),
        width=0.25,
        bn_momentum=0.1,  # a short training from scratch
    ),
    head=dict(
        type='CapsuleRoutingHead',
        num_classes=4,
        in_channels=(16, 48, 128),
        num_capsules=16,
        kernel_size=3,
        decoder_channels=8,
        implementation='plain',  # the faster one for so small clips
        dropout=0.2,  # half the channels of so narrow a network is too many
    ),
    loss_cls=dict(type='SpreadLoss', margin=0.2, loss_weight=3.0),
    loss_mask=dict(type='MaskLoss'),
    warmup_epochs=4,
)
data_preprocessor = dict(
    type='ActionDataPreprocessor',
    mean=[0.0, 0.0, 0.0],
    std=[255.0, 255.0, 255.0],
    format_shape='NCTHW',
)
