"""What the runs of these tests are made of, beside the toy run's parts."""

import multiprocessing
import os
import re
import shutil
import signal
from pathlib import Path

import torch
from mmaction.registry import DATASETS, HOOKS, MODELS
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from tests.helpers import ROOT
from tests.toy_run import CONFIG, ToyModel, ToyNumbers

# Everything that a resumed run could repeat wrongly: shuffling, noise drawn by the
# loader's workers and by the model, a momentum, an average of weights, schedulers that
# follow iterations, the training loss and the score.
EXTRA = """
custom_imports['imports'] += ['tests.faults.parts']
model = dict(type='ShakyModel')
train_dataloader.update(
    num_workers={workers}, dataset=dict(type='ShakyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    worker_init_fn=dict(type='seed_worker'))
train_cfg.update(max_epochs={epochs})
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=9),
    dict(type='TrainLossPlateauLR', patience=0, factor=0.9),
    dict(type='ReduceOnPlateauLR', monitor='toy/mean', rule='less', patience=0,
         factor=0.9)]
default_hooks['checkpoint'].update(type='AtomicCheckpointHook', max_keep_ckpts={keep})
custom_hooks = [
    dict(type='EMAHook'), dict(type='EpochSeedHook'), dict(type='TerminationHook'),
    dict(type='FaultHook', faults={faults!r})]
"""


def write_numbers_config(folder, epochs=3, workers=1, keep=2, faults=(), extra=''):
    """Write the config of a run on numbers, return its path."""
    settings = dict(epochs=epochs, workers=workers, keep=keep, faults=list(faults))
    path = Path(folder, 'noisy_run.py')
    path.write_text(CONFIG + EXTRA.format(**settings) + extra)
    return str(path)


def mid_epoch(interval):
    """For ``extra``: saves every so many iterations, and goes on from there."""
    return f"""
train_cfg = dict(type='MidEpochTrainLoop', max_epochs=3, val_interval=1)
default_hooks['checkpoint'].update(
    type='MidEpochCheckpointHook', interval={interval})
"""


TEACHER = """
_base_ = ['{root}/configs/toy_semi_stable_mean_teacher.py']
model = dict(detector=dict(
    backbone=dict(width=0.0625),
    head=dict(in_channels=(4, 12, 32), num_capsules=4, decoder_channels=4)))
train_cfg = dict(max_epochs=3, val_interval=1)
train_dataloader = dict(batch_size=4)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(
    max_keep_ckpts=1, save_best='teacher/stad/capsule_f_mAP@0.20', rule='greater'))
"""


def write_teacher_config(folder):
    """Write the config of a tiny Stable Mean Teacher on real video files."""
    path = Path(folder, 'teacher_run.py')
    path.write_text(TEACHER.format(root=ROOT))
    return str(path)


@DATASETS.register_module()
class ShakyNumbers(ToyNumbers):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / 16, 1.0]) + 0.1 * torch.randn(2))


@MODELS.register_module()
class ShakyModel(ToyModel):
    def forward(self, inputs, mode='tensor'):
        if mode == 'loss':
            inputs = [torch.nn.functional.dropout(x, 0.2) for x in inputs]
        return super().forward(inputs, mode)


@HOOKS.register_module()
class FaultHook(Hook):
    """Does harm to the process at chosen points.

    Args:
        faults: what happens, each as 'ACTION WHEN WHAT': ACTION is one of ``act``; WHEN
            is the name of a hook method, `before` or `after` a call that changes files,
            or `half` written; WHAT is the number of the iteration (hook methods) or
            'CALL PATTERN', a function of `os` and an expression its file has to match.
            One that ends with 'rank N' is of that rank only.
    """

    priority = 'VERY_LOW'

    def __init__(self, faults=()):
        self.faults = [fault.split() for fault in faults]

    def before_run(self, runner):
        self.faults = [
            fault
            for fault in self.faults
            if 'rank' not in fault or get_rank() == int(fault[-1])
        ]
        for action, when, *what in self.faults:
            if when in ('before', 'after', 'half'):
                self.watch(action, when, *what[:2])

    def watch(self, action, when, call, pattern):
        function = getattr(os, call)

        def watched(file, *args):
            name = file
            if isinstance(file, int):
                name = os.readlink(f'/proc/self/fd/{file}')
            hit = re.search(pattern, os.path.basename(args[0] if args else name))
            if hit and when == 'half':
                os.truncate(file, os.fstat(file).st_size // 2)
            if hit and when != 'after':
                act(action)
            result = function(file, *args)
            if hit and when == 'after':
                act(action)
            return result

        setattr(os, call, watched)

    def at(self, method, number):
        for action, when, *what in self.faults:
            if when == method and int(what[0]) == number:
                act(action)

    def before_train_iter(self, runner, *args, **kwargs):
        self.at('before_train_iter', runner.iter)

    def after_train_iter(self, runner, *args, **kwargs):
        self.at('after_train_iter', runner.iter)

    def after_val_iter(self, runner, batch_idx, *args, **kwargs):
        self.at('after_val_iter', batch_idx)


def act(action):
    """Do one thing.

    Args:
        action: 'kill', the name of a signal, 'killworker' (one of the loader's), 'all'
            (SIGTERM for the process and its workers), 'fill' (the disk but for 8 KB;
            it is called small).
    """
    if action == 'fill':
        return fill_disk('small')
    workers = [worker.pid for worker in multiprocessing.active_children()]
    if action == 'killworker':
        return os.kill(workers[0], signal.SIGKILL)
    if action == 'all':
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        action = 'SIGTERM'
    number = signal.SIGKILL if action == 'kill' else signal.Signals[action]
    os.kill(os.getpid(), number)


def fill_disk(folder):
    with open(Path(folder, 'filler'), 'wb', buffering=0) as file:
        free = shutil.disk_usage(folder).free
        file.write(bytes(free - 8192))
