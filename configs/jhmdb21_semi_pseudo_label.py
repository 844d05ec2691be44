"""Pseudo-labels in the course of training, 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_pseudo_label.py

As ucf24_semi_pseudo_label.py. Published for offline rounds by Kumar & Rawat, CVPR 2022,
Table 3, in the capsule protocol: f-mAP@0.5 57.4, v-mAP@0.2 90.1, v-mAP@0.5 57.4. Not
yet reproduced here. Data: see jhmdb21_sup.py. Cost as UCF101-24.
"""

_base_ = ['jhmdb21_semi_var.py']
model = dict(method=dict(_delete_=True, type='PseudoLabel'))
