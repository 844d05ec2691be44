"""Supervised baseline: the detector on the labelled 20 % of UCF101-24 only.

python tools/train.py configs/ucf24_sup.py

Paper: Kumar & Rawat, CVPR 2022, Table 1, first row. Published, in the capsule protocol:
f-mAP@0.5 61.0, v-mAP@0.2 91.3, v-mAP@0.5 61.1. Not yet reproduced here.
All labels: --cfg-options train_dataloader.dataset.split_file=splits/train.txt
(Table 3: 69.2, 95.3, 71.9). Fewer labels: configs/README.md.
Cost: 182 G multiply-adds per training clip (8 x 224 x 224).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_100e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/ucf24.py',
]
model = dict(**_base_.detector, data_preprocessor=_base_.data_preprocessor)
