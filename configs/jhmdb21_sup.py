"""Supervised baseline: the detector on the labelled 30 % of JHMDB-21 only.

python tools/train.py configs/jhmdb21_sup.py

Expects $SSVAD_JHMDB21 (data/jhmdb21) with ReCompress_Videos/, puppet_mask/ and splits/
as the dataset's site ships them, after

python tools/convert_jhmdb21.py data/jhmdb21
python tools/make_split.py data/jhmdb21/annotations.json \
    --train data/jhmdb21/splits/train.txt --test data/jhmdb21/splits/test.txt \
    --fraction 0.3 --seed 47 --out-dir data/jhmdb21/splits/30_seed47

As in the paper, the detector learns from the puppet masks and the capsule protocol
(stad/capsule_*) measures on them; the standard protocol takes the boxes around them.

Paper: Kumar & Rawat, CVPR 2022, Table 1, first row. Published, in the capsule protocol:
f-mAP@0.5 61.1, v-mAP@0.2 92.5, v-mAP@0.5 59.5. Not yet reproduced here.
All labels: --cfg-options train_dataloader.dataset.split_file=splits/train.txt
(Table 3: 68.1, 96.8, 68.4). The released code feeds BGR frames:
--cfg-options model.data_preprocessor.to_rgb=True, which swaps red and blue.
Cost: 182 G multiply-adds per training clip (8 x 224 x 224).
"""

_base_ = [
    '_base_/runtime.py',
    '_base_/schedules/adam_plateau_50e.py',
    '_base_/models/i3d_capsules.py',
    '_base_/datasets/jhmdb21.py',
]
head = dict(_base_.detector.head, num_classes=21)
model = dict(_base_.detector, head=head, data_preprocessor=_base_.data_preprocessor)
