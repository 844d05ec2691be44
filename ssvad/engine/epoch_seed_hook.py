"""Randomness that depends on the epoch, not on how training got there."""

from __future__ import annotations

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed


def mix_seeds(*counters: int) -> int:
    """Mix counters into one seed; neighbours give unrelated streams.

    Args:
        counters: Integers >= 0. Trailing zeros do not count: calls that must differ
            have the same number of counters or another first one.

    Returns:
        Integer in [0, 2^32).
    """
    return int(np.random.SeedSequence(counters).generate_state(1)[0])


def epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """Seed of an epoch.

    Args:
        seed: Of the run.
        epoch: 0-based.
        rank: Of the process.

    Returns:
        Integer in [0, 2^32).
    """
    return mix_seeds(seed, epoch, rank)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Reseed all generators of the process at the start of each training epoch.

    mmengine's checkpoints hold no generator state. With this hook (and
    ``worker_init_fn=dict(type='seed_worker')``, which derives the loader workers' seeds
    from the main process) a run that is resumed at an epoch boundary draws the same
    dropout and the same augmentations as one that was never interrupted, and every
    epoch and every rank draws its own. For any other iteration there is
    ``MidEpochTrainLoop``; without it, resuming there is warned about.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn of an epoch that would be repeated from its first clip."""
        loop = runner.train_loop
        if type(loop) is not EpochBasedTrainLoop:
            return
        begins = loop.epoch * len(loop.dataloader)
        if loop.iter != begins:
            runner.logger.warning(
                f'resumed after iteration {loop.iter}, but epoch {loop.epoch + 1} '
                f'begins after iteration {begins}: the whole epoch is trained. To go '
                "on within an epoch use train_cfg.type='MidEpochTrainLoop', before the "
                'checkpoint is made and after'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed ``random``, NumPy and torch."""
        set_random_seed(epoch_seed(runner.seed, runner.epoch, get_rank()))
