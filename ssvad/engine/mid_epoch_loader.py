"""Batches whose randomness depends on their place in training only."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset

from .epoch_seed_hook import mix_seeds

# first counters of the seeds, so that no two kinds share a stream
SAMPLE, ITERATION = 1, 2


class PlacedDataset(Dataset):
    """A dataset that seeds the generators of its process before each sample.

    Args:
        dataset: Draws its augmentations from ``random``, NumPy or torch.
    """

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: tuple[int, int]):
        """Item of a (seed, index)."""
        seed, index = place
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return self.dataset[index]

    @property
    def metainfo(self) -> dict:
        """What mmengine asks a dataset for."""
        return self.dataset.metainfo


class PlacedBatches:
    """The batches of an epoch from one of them on, each index with its seed.

    Those before are not loaded, only counted. Seeds do not depend on where the batches
    begin, nor on the process that loads them.

    Args:
        batches: Of indices; their order depends on the sampler's seed and epoch only.
        rank: Of the process.

    Attributes:
        sampler: Of the batches, whose epoch mmengine's ``DistSamplerSeedHook`` sets.
    """

    def __init__(self, batches: BatchSampler, rank: int):
        self.batches = batches
        self.sampler = batches.sampler
        self.rank = rank
        self.begin(0, 0, 0)

    def begin(self, seed: int, epoch: int, first: int) -> None:
        """Choose the seed of the run, the epoch and its first batch, from 0."""
        self.seed, self.epoch, self.first = seed, epoch, first

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        place = (SAMPLE, self.seed, self.epoch, self.rank)
        first = self.first
        for number, batch in enumerate(self.batches):
            if number >= first:
                yield [
                    (mix_seeds(*place, number, position), index)
                    for position, index in enumerate(batch)
                ]


def placed_loader(loader: DataLoader, rank: int) -> DataLoader:
    """The same loader with a :class:`PlacedDataset` and :class:`PlacedBatches`.

    Raises:
        TypeError: If the loader has no batches of indices.
    """
    if loader.batch_sampler is None:
        raise TypeError(
            'MidEpochTrainLoop needs batches of indices; the loader of an '
            'IterableDataset, or without batch_size, has none'
        )
    return DataLoader(
        PlacedDataset(loader.dataset),
        batch_sampler=PlacedBatches(loader.batch_sampler, rank),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        pin_memory_device=loader.pin_memory_device,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=loader.generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )
