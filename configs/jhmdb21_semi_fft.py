"""Mean Teacher with edge attention, 20 % labels, JHMDB-21.

SSVAD_SPLIT=20_seed47 python tools/train.py configs/jhmdb21_semi_fft.py

As ucf24_semi_fft.py. Data: see jhmdb21_sup.py. Cost as ucf24_semi_mean_teacher.py.
"""

_base_ = ['jhmdb21_semi_mean_teacher.py']
model = dict(method=dict(_delete_=True, type='FFTMeanTeacher'))
