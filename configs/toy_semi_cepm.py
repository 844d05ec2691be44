"""CEPM on the toy world.

python tools/train.py configs/toy_semi_cepm.py

As ucf24_semi_cepm.py, with four classes and a smaller grid of capsules.
"""

_base_ = ['toy_semi_mean_teacher.py']
model = dict(
    method=dict(
        type='CEPM',
        loss_weight=0.3,
        enhancement=dict(
            type='ClassFeatureEnhancement', num_classes=4, channels=272, positions=4
        ),
        enhancement_from=5,
    )
)
