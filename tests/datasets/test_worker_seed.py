import random

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from torch.utils.data import Dataset, get_worker_info

from ssvad.datasets.worker_seed import seed_worker


class Draws(Dataset):
    """Each item tells what the generators of its worker give."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        python = random.random()
        return get_worker_info().id, python, np.random.rand(), torch.rand(()).item()


@pytest.fixture(autouse=True)
def keep_generators():
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def loader():
    return Runner.build_dataloader(
        dict(
            dataset=Draws(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            num_workers=2,
            persistent_workers=False,
            collate_fn=dict(type='pseudo_collate'),
            worker_init_fn=dict(type='seed_worker'),
        ),
        seed=47,
    )


def epoch(batches):
    return [tuple(value[0] for value in batch) for batch in batches]


def test_epochs_differ_workers_differ_and_a_base_seed_repeats():
    batches = loader()
    torch.manual_seed(3)
    first, second = epoch(batches), epoch(batches)
    for kind in (1, 2, 3):
        drawn = [item[kind] for item in first + second]
        assert len(set(drawn)) == len(drawn)
    torch.manual_seed(3)
    assert epoch(loader()) == first


def draw(initial_seed, rank, monkeypatch):
    monkeypatch.setenv('RANK', str(rank))
    torch.manual_seed(initial_seed)
    seed_worker(0)
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_ranks_with_one_base_seed_differ(monkeypatch):
    drawn = [draw(11, rank, monkeypatch) for rank in range(3)]
    for kind in range(3):
        assert len({item[kind] for item in drawn}) == 3
    assert draw(11, 1, monkeypatch) == drawn[1]


def test_large_seeds_of_torch(monkeypatch):
    draw(2**63 - 1, 0, monkeypatch)
