"""A run of a second with all the parts of a real one: a linear model on numbers."""

from pathlib import Path

import numpy as np
import torch
from mmaction.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from torch import nn

CONFIG = """
custom_imports = dict(imports=['ssvad', 'tests.toy_run'])
default_scope = 'mmaction'
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))
model = dict(type='ToyModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(type='ToyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_dataloader = test_dataloader = dict(
    batch_size=1, num_workers=0, dataset=dict(type='ToyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = test_evaluator = dict(type='ToyMean')
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
param_scheduler = dict(type='MultiStepLR', milestones=[1])
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    logger=dict(type='LoggerHook', interval=1),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=1, save_best='toy/mean', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [dict(type='EMAHook'), dict(type='DumpWeightsHook')]
randomness = dict(seed=0)
"""


def write_config(folder: Path, extra: str = '') -> str:
    """Write the config of the toy run, return its path."""
    path = folder / 'toy_numbers.py'
    path.write_text(CONFIG + extra)
    return str(path)


def forget_runs() -> None:
    """Drop what mmengine keeps of a run; runs of one second share a name."""
    for kept in (DefaultScope, MessageHub, MMLogger, Visualizer):
        kept._instance_dict.clear()


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.linear = nn.Linear(2, 1)
        nn.init.constant_(self.linear.weight, 0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, inputs, mode='tensor'):
        out = self.linear(torch.stack(inputs))
        if mode == 'loss':
            return dict(loss=(out - 1).square().mean())
        return [dict(value=v.item()) for v in out]


@DATASETS.register_module()
class ToyNumbers(torch.utils.data.Dataset):
    metainfo = dict(classes=('run', 'walk'))

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / 8, 1.0]))


@METRICS.register_module()
class ToyMean(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(mean=np.mean(results))


@HOOKS.register_module()
class DumpWeightsHook(Hook):
    """Every process writes the weights it ends with."""

    priority = 'VERY_LOW'

    def after_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        file = Path(runner.work_dir) / f'weights_{get_rank()}.pt'
        torch.save(model.state_dict(), file)
