# As adam_plateau_100e.py, half as long (paper Sec. 4, JHMDB-21).
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, eps=1e-6)
)
param_scheduler = dict(
    type='TrainLossPlateauLR', factor=0.1, patience=5, min_value=1e-7
)
auto_scale_lr = dict(enable=False, base_batch_size=8)
