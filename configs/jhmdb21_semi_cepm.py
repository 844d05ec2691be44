"""CEPM, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/jhmdb21_semi_cepm.py

Li et al., 2026, with the settings of the release; see ucf24_semi_cepm.py. Published, in
the capsule protocol: f-mAP@0.5 72.0, v-mAP@0.2 98.4, v-mAP@0.5 72.8. Not yet reproduced
here. Data: see jhmdb21_sup.py. Cost as ucf24_semi_cepm.py.
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
