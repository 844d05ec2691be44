"""As released: CEPM, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/reference/jhmdb21_semi_cepm.py

Li et al., 2026; teacher, views and class loss as in jhmdb21_semi_mean_teacher.py in
this folder. Two things of the release are not to be had: fused activations beyond
[0, 1], and queues of capsules per process that a resumed run begins anew. Published:
f-mAP@0.5 72.0, v-mAP@0.2 98.4, v-mAP@0.5 72.8. Not yet reproduced here.
Cost: 242 G multiply-adds per training clip, from epoch 11 on up to 273 G.
"""

_base_ = ['jhmdb21_semi_mean_teacher.py']
model = dict(
    method=dict(
        _delete_=True,
        type='CEPM',
        loss_weight=0.3,
        enhancement=dict(type='ClassFeatureEnhancement', num_classes=21),
    )
)
