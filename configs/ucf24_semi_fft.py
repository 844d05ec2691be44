"""Mean Teacher with edge attention, 10 % labels, UCF101-24.

SSVAD_SPLIT=10_seed47 python tools/train.py configs/ucf24_semi_fft.py

The semi-supervised part of "Semi-supervised Active Learning for Video Action
Detection", AAAI 2024, whose labelled videos are chosen, not drawn: its numbers are not
comparable with a random 10 %. Cost as ucf24_semi_mean_teacher.py.
"""

_base_ = ['ucf24_semi_mean_teacher.py']
model = dict(method=dict(type='FFTMeanTeacher'))
