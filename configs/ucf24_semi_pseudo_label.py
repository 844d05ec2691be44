"""Pseudo-labels in the course of training, 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_pseudo_label.py

Lee 2013, online. Published for rounds of offline pseudo-labels (tools/pseudo_label.py)
by Kumar & Rawat, CVPR 2022, Table 3, in the capsule protocol: f-mAP@0.5 64.9,
v-mAP@0.2 93.0, v-mAP@0.5 65.6. Not yet reproduced here. Cost: 182 G multiply-adds per
training clip (8 x 224 x 224); the mirrored view is made and not used.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(method=dict(_delete_=True, type='PseudoLabel'))
