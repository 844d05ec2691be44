"""Plain L2 consistency (no attention), 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_l2.py

Paper: Kumar & Rawat, CVPR 2022, Table 1, "LC". Published, in the capsule protocol:
v-mAP@0.5 71.8. Not yet reproduced here. Cost as ucf24_semi_var.py.

Table 1 also has class consistency alone, "CC" (v-mAP@0.5 66.2), and both terms,
"CC + LC" (71.8), with lambda_1 = 0.3 and lambda_2 = 0.7 of Eq. 8:
--cfg-options model.method.mask_weight=0 model.method.class_weight=0.3
--cfg-options model.method.mask_weight=0.7 model.method.class_weight=0.3
The released code has no class term and weight 1 on the mask term, as this file; for
the divergence that the authors ran, which is not Eq. 1, add model.method.class_form=kl.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(method=dict(attention=None))
