"""A run of a second in which everything is random: data, dropout, statistics, teacher.

Clips of two lists are mixed 1:1; the model has batch norm, dropout and a teacher.
"""

import copy
import os
import random

import numpy as np
import torch
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from ssvad.models import Teacher

# what differs between equal runs
CLOCKS = ('time', 'data_time', 'experiment_name', 'cfg', 'last_ckpt')
CONFIG = dict(
    default_scope='mmaction',
    custom_imports=dict(imports=['ssvad', 'tests.noisy_run']),
    model=dict(type='NoisyModel'),
    train_dataloader=dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='MixedSampler', ratio=(1, 1)),
        worker_init_fn=dict(type='seed_worker'),
        dataset=dict(
            type='ConcatDataset',
            datasets=[
                dict(type='NoisyNumbers', first=0, size=6),
                dict(type='NoisyNumbers', first=100, size=20),
            ],
        ),
    ),
    train_cfg=dict(type='MidEpochTrainLoop', max_epochs=3),
    optim_wrapper=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=0.01),
        clip_grad=dict(max_norm=1.0),
    ),
    param_scheduler=[
        dict(type='CosineAnnealingLR', T_max=30, by_epoch=False),
        dict(type='TrainLossPlateauLR', patience=0, factor=0.5),
    ],
    default_hooks=dict(
        logger=dict(type='LoggerHook', interval=3),
        checkpoint=dict(type='MidEpochCheckpointHook', interval=4, max_keep_ckpts=2),
        sync_buffers=dict(type='SyncBuffersHook'),
    ),
    custom_hooks=[dict(type='EpochSeedHook'), dict(type='TeacherUpdateHook')],
    env_cfg=dict(dist_cfg=dict(backend='nccl')),
    log_level='ERROR',
    randomness=dict(seed=3),
)


def noisy_config(folder, **changes):
    """A copy of the config for a work folder, with changes by dotted key."""
    cfg = Config(copy.deepcopy(CONFIG))
    cfg.merge_from_dict(dict(changes, work_dir=str(folder)))
    return cfg


@DATASETS.register_module()
class NoisyNumbers(torch.utils.data.Dataset):
    """Numbers with noise of each generator; notes which were loaded.

    Item 0 is ``poison``, if that is given: 1e20 makes a loss infinite, but no gradient,
    -1e6 a gradient, but no loss.
    """

    metainfo = dict(classes=('a', 'b'))
    loaded = []

    def __init__(self, first, size, poison=None):
        self.first, self.size, self.poison = first, size, poison

    def full_init(self):
        pass

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.loaded.append(self.first + index)
        noise = [random.random(), np.random.rand(), torch.rand(()).item()]
        inputs = torch.tensor([self.first / 100 + index / 10, *noise])
        if self.poison is not None and index == 0:
            inputs[0] = self.poison
        meta = dict(video_id=f'clip{self.first + index}', frame_inds=np.arange(3, 9))
        return dict(inputs=inputs, data_samples=ActionDataSample(metainfo=meta))


@MODELS.register_module()
class NoisyModel(BaseModel):
    """Learns what its teacher says of other noise."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.detector = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1)
        )
        self.teacher = Teacher(dict(detector=self.detector), decay=0.9)

    def update_teacher(self):
        self.teacher.follow(dict(detector=self.detector))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        clips = torch.stack(inputs)
        out = self.detector(clips)
        with torch.no_grad():
            aim = self.teacher['detector'](clips + 0.1 * torch.randn_like(clips))
        loss_sup = (out - clips.mean(1, keepdim=True)).square().mean()
        if clips.min() < -1e5:
            bias = self.detector[-1].bias
            loss_sup = loss_sup + (bias - bias.detach()).abs().sqrt().sum()
        return dict(loss_sup=loss_sup, loss_cons=(out - aim).abs().mean())


class Left(Exception):
    """The run was left."""


@HOOKS.register_module()
class LeaveHook(Hook):
    """Leave training after some iterations, as a process does that is killed.

    Args:
        after: Iterations.
        process: Whether to end the process.
    """

    priority = 'LOWEST'

    def __init__(self, after, process=False):
        self.after, self.process = after, process

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.after:
            if self.process:
                os._exit(0)
            raise Left


def last_state(folder):
    """All of the last checkpoint but its clocks and paths."""
    path = (folder / 'last_checkpoint').read_text()
    state = torch.load(path, weights_only=True)
    hub = state['message_hub']
    hub['log_scalars'] = {
        name: history.data[0].tolist()
        for name, history in hub['log_scalars'].items()
        if not any(clock in name for clock in CLOCKS)
    }
    hub['runtime_info'] = {
        k: v for k, v in hub['runtime_info'].items() if k not in CLOCKS
    }
    for rank in state.get('ranks', ()):
        rank['logs'] = {k: v for k, v in rank['logs'].items() if 'time' not in k}
    state['meta'] = {k: v for k, v in state['meta'].items() if k not in CLOCKS}
    return state


def assert_equal(first, second, path='state'):
    assert type(first) is type(second), path
    if isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_equal(first[key], second[key], f'{path}.{key}')
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), path
        for i, pair in enumerate(zip(first, second)):
            assert_equal(*pair, f'{path}.{i}')
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    else:
        assert first == second or first != first, path
