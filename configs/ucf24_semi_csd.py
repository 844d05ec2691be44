"""CSD ("Co-SSD (CC)"), 20 % labels, UCF101-24.

python tools/train.py configs/ucf24_semi_csd.py

Jeong et al., NeurIPS 2019. Published for this detector by Kumar & Rawat, CVPR 2022,
Table 3, in the capsule protocol: f-mAP@0.5 65.3, v-mAP@0.2 93.7, v-mAP@0.5 67.5. Not
yet reproduced here. Class term alone; --cfg-options model.method.mask_weight=1 adds the
mask term. Cost as ucf24_semi_var.py.
"""

_base_ = ['ucf24_semi_var.py']
model = dict(method=dict(_delete_=True, type='CSD'))
