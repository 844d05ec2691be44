"""As released: Mean Teacher with edge attention, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/reference/ucf24_semi_fft.py

The semi-supervised part of "Semi-supervised Active Learning for Video Action
Detection", AAAI 2024; its own 10 % were chosen, not drawn. What is as released: see
ucf24_semi_mean_teacher.py in this folder. Not yet reproduced here.
Cost: 242 G multiply-adds per training clip.
"""

_base_ = ['ucf24_semi_mean_teacher.py']
model = dict(method=dict(type='FFTMeanTeacher'))
