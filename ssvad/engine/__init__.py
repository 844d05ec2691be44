"""Hooks and schedulers; importing registers them."""

from .epoch_seed_hook import EpochSeedHook
from .train_loss_plateau import TrainLossPlateauLR

__all__ = ['EpochSeedHook', 'TrainLossPlateauLR']
