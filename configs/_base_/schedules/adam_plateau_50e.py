# As adam_plateau_100e.py, half as long (paper Sec. 4, JHMDB-21).
_base_ = ['./adam_plateau_100e.py']
train_cfg = dict(max_epochs=50)
