"""Short trainings that differ in processes and batches only, and what they logged.

``python -m tests.scale.curves RUNS.json FOLDER`` does the runs of a file one after the
other, in as many processes as the environment says (as torchrun does), and writes
``FOLDER/<name>_<rank>.pt``.
"""

import copy
import json
import os
import sys
from pathlib import Path

import torch
from mmaction.registry import DATA_SAMPLERS, DATASETS, HOOKS, RUNNERS
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from torch import distributed, nn

from ssvad.compat import prepare_distributed
from ssvad.datasets.mixed_sampler import MixedSampler
from ssvad.engine.teacher_update_hook import bare_model
from tests.helpers import TINY_DETECTOR, make_batch, make_sample
from tests.models.methods import METHODS
from tests.toy_run import forget_runs

EPOCHS = 2


@DATASETS.register_module()
class NumberedClips(torch.utils.data.Dataset):
    """Clips that depend on their number only: no augmentation, no randomness."""

    metainfo = dict(classes=('a', 'b', 'c'))

    def __init__(self, count, views, labeled=False, first=0):
        self.count, self.views = count, tuple(views)
        self.labeled, self.first = labeled, first

    def full_init(self):
        """What mmengine's ``ConcatDataset`` calls."""

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        number = self.first + index
        label = number % 3 if self.labeled else None
        inputs, _ = make_batch([label], seed=number, views=self.views)
        sample = make_sample(label, seed=number, views=self.views)
        return dict(inputs=inputs[0].double(), data_samples=sample)


@FUNCTIONS.register_module()
def stack_clips(batch):
    """Collate without a change of type."""
    inputs = torch.stack([item['inputs'] for item in batch])
    return dict(inputs=inputs, data_samples=[item['data_samples'] for item in batch])


@DATA_SAMPLERS.register_module()
class RanksInTurn(MixedSampler):
    """The batches of several ranks one after the other: step by step, rank by rank."""

    def __init__(self, dataset, ranks, batch_size, **kwargs):
        super().__init__(dataset, **kwargs)
        self.ranks, self.batch_size = ranks, batch_size

    def __iter__(self):
        order, pair = list(super().__iter__()), len(self.ratio)
        rounds = [order[i : i + pair] for i in range(0, len(order), pair)]
        shares = [sum(rounds[r :: self.ranks], []) for r in range(self.ranks)]
        for start in range(0, len(shares[0]), self.batch_size):
            for share in shares:
                yield from share[start : start + self.batch_size]


@HOOKS.register_module()
class KeepStatisticsHook(Hook):
    """Batch norm normalises with its running statistics, which do not change."""

    def before_train_iter(self, runner, **kwargs):
        for module in bare_model(runner).modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


@HOOKS.register_module()
class SameDrawsHook(Hook):
    """All processes draw the same: what is left differs by the batch, not by luck."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, **kwargs):
        torch.manual_seed(5)


@HOOKS.register_module()
class CountStepsHook(Hook):
    """Ramps that follow the iteration see the step, however many batches make it."""

    priority = 'LOWEST'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        batches = runner.cfg.optim_wrapper.accumulative_counts
        runner.message_hub.update_info('iter', runner.iter // batches * batches)


@HOOKS.register_module()
class CurveHook(Hook):
    """Keeps what each iteration logs and the weights at the end."""

    priority = 'LOWEST'

    def before_train(self, runner):
        self.curve = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.curve.append({k: v.item() for k, v in outputs.items()})

    def after_train(self, runner):
        sharded = 'strategy' in runner.cfg
        model = runner.model if sharded else bare_model(runner)
        kept = dict(curve=self.curve, weights=copy.deepcopy(model.state_dict()))
        torch.save(kept, Path(runner.work_dir) / f'{runner.cfg.run}_{get_rank()}.pt')


def run_config(
    run,
    method,
    batch,
    clips=4,
    accumulate=1,
    in_turn=0,
    labeled_first=False,
    dice='batch',
    statistics='kept',
    epochs=EPOCHS,
    sharded=False,
    resume=False,
):
    """Config of one run.

    Args:
        run: Name of its files.
        method: Key of ``METHODS``.
        batch: Clips of a batch in each process.
        clips: Unlabelled clips; there are three labelled ones.
        accumulate: Batches of a step.
        in_turn: Take the batches of so many ranks, one after the other.
        labeled_first: Take the clips in their order, not as many of each kind.
        dice: Over the ``'batch'`` or each ``'clip'``.
        statistics: Of batch norm, ``'kept'`` or of each ``'batch'``.
        epochs: Of two steps each.
        sharded: Divide the model among the ranks, and save it after each epoch.
        resume: Go on from what the folder holds.
    """
    case = METHODS[method]
    detector, config = copy.deepcopy((TINY_DETECTOR, case.config))
    detector['loss_mask'] = dict(type='MaskLoss', dice_over=dice)
    if config['type'] == 'StableMeanTeacher':
        config['loss_mask'] = dict(type='MaskLoss', dice_over=dice)
    source = dict(type='NumberedClips', views=case.views)
    sampler = dict(type='MixedSampler', seed=3)
    if in_turn:
        sampler.update(type='RanksInTurn', ranks=in_turn, batch_size=batch)
    if labeled_first:
        sampler = dict(type='DefaultSampler', shuffle=False)
    hooks = [
        dict(type='TeacherUpdateHook'),
        dict(type='CountStepsHook'),
        dict(type='CurveHook'),
    ]
    hooks += [dict(type='SameDrawsHook')] if case.mixes else []
    hooks += [dict(type='KeepStatisticsHook')] if statistics == 'kept' else []
    flexible = dict(runner_type='FlexibleRunner', strategy=dict(type='ShardedStrategy'))
    return Config(
        dict(
            flexible if sharded else {},
            run=run,
            resume=resume,
            default_scope='mmaction',
            model=dict(
                type='SemiDetector',
                detector=detector,
                method=config,
                teacher=case.teacher,
            ),
            train_dataloader=dict(
                batch_size=batch,
                num_workers=0,
                sampler=sampler,
                collate_fn=dict(type='stack_clips'),
                dataset=dict(
                    type='ConcatDataset',
                    datasets=[
                        dict(source, count=3, labeled=True),
                        dict(source, count=clips, first=100),
                    ],
                ),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(
                type='OptimWrapper',
                optimizer=dict(type='Adam', lr=2e-3, eps=1e-6),
                accumulative_counts=accumulate,
            ),
            param_scheduler=dict(type='MultiStepLR', milestones=[1], end=EPOCHS),
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=100),
                checkpoint=dict(type='AtomicCheckpointHook') if sharded else None,
                sampler_seed=dict(type='DistSamplerSeedHook'),
                sync_buffers=dict(type='SyncBuffersHook'),
            ),
            custom_hooks=hooks,
            env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=300)),  # a hang fails
            randomness=dict(seed=0),
            log_level='ERROR',
        )
    )


def train(folder, launcher='none', **settings):
    """Do one run."""
    forget_runs()
    cfg = run_config(**settings)
    cfg.work_dir, cfg.launcher = str(folder), launcher
    prepare_distributed(cfg)
    torch.set_default_dtype(torch.float64)
    try:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()
    finally:
        torch.set_default_dtype(torch.float32)


def main():
    """Do the runs of a file."""
    torch.set_num_threads(1)
    runs, folder = sys.argv[1:]
    for settings in json.loads(Path(runs).read_text()):
        place = Path(folder, settings.pop('place', ''))
        train(place, 'pytorch', **settings)
    distributed.barrier()
    os._exit(0)  # without tearing gloo's threads down, as our tools do


if __name__ == '__main__':
    main()
