"""ucf24_semi_var.py with weights, gradients and optimiser state divided among GPUs.

GPUS=4; tools/dist_train.sh configs/ucf24_semi_var_fsdp.py $GPUS
(in each process: python tools/train.py configs/ucf24_semi_var_fsdp.py, and --launcher
pytorch)

Fully sharded data parallel (FSDP) of mmengine's FlexibleRunner. The same training as
with tools/dist_train.sh configs/ucf24_semi_var.py: the 48 M parameters fit into any
GPU, so it is worth it for larger networks only, see docs/planning.md. Checkpoints are
ordinary ones: evaluate them with configs/ucf24_semi_var.py. Tested on a CPU over gloo,
not on GPUs.

Another method: take its config as _base_. Cost as ucf24_semi_var.py.
"""

_base_ = ['ucf24_semi_var.py']
runner_type = 'FlexibleRunner'
strategy = dict(type='ShardedStrategy')
custom_hooks = [
    # a hook that runs the network in one process would wait for the others
    *[hook for hook in _base_.custom_hooks if hook['type'] != 'ViewPictureHook'],
    dict(type='UnshardedEvaluationHook'),
]
