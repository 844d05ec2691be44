# Short training from scratch.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=16, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-3, eps=1e-6)
)
param_scheduler = dict(
    type='CosineAnnealingLR', T_max=16, eta_min=1e-5, convert_to_iter_based=True
)
