"""Randomness that depends on the epoch, not on how training got there."""

from __future__ import annotations

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed


def epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """Mix three counters into one seed; neighbours give unrelated streams.

    Args:
        seed: Of the run.
        epoch: 0-based.
        rank: Of the process.

    Returns:
        Integer in [0, 2^32).
    """
    return int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1)[0])


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Reseed all generators of the process at the start of each training epoch.

    mmengine's checkpoints hold no generator state. With this hook (and
    ``worker_init_fn=dict(type='seed_worker')``, which derives the loader workers' seeds
    from the main process) a run that is resumed at an epoch boundary draws the same
    dropout and the same augmentations as one that was never interrupted, and every
    epoch and every rank draws its own.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed ``random``, NumPy and torch."""
        set_random_seed(epoch_seed(runner.seed, runner.epoch, get_rank()))
