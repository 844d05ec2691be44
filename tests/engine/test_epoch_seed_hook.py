from itertools import product
from types import SimpleNamespace

import numpy as np
import torch

from ssvad.engine.epoch_seed_hook import EpochSeedHook, epoch_seed


def draws(seed, epoch):
    EpochSeedHook().before_train_epoch(SimpleNamespace(seed=seed, epoch=epoch))
    return np.random.rand(3).tolist() + torch.rand(3).tolist()


def test_epoch_alone_decides_what_is_drawn():
    first = draws(47, 3)
    np.random.rand(100), torch.rand(100)
    assert draws(47, 3) == first
    assert draws(47, 4) != first
    assert draws(48, 3) != first


def test_seeds_of_runs_epochs_and_ranks_are_distinct():
    seeds = [epoch_seed(*key) for key in product(range(20), range(20), range(8))]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)
