"""Plain L2 consistency (no attention), 30 % labels, JHMDB-21.

python tools/train.py configs/jhmdb21_semi_l2.py

Paper: Kumar & Rawat, CVPR 2022, Table 1, "LC". Published, in the capsule protocol on
puppet masks: v-mAP@0.2 94.8. Not yet reproduced here. Data: see jhmdb21_sup.py.
The rows "CC" and "CC + LC" are overrides, as in ucf24_semi_l2.py.
Cost as jhmdb21_semi_var.py.
"""

_base_ = ['jhmdb21_semi_var.py']
model = dict(method=dict(attention=None))
