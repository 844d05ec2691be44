"""Mean Teacher with edge attention on the toy world.

python tools/train.py configs/toy_semi_fft.py

As ucf24_semi_fft.py.
"""

_base_ = ['toy_semi_mean_teacher.py']
model = dict(method=dict(type='FFTMeanTeacher'))
