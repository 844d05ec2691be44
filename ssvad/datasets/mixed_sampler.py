"""Labelled and unlabelled clips in a fixed ratio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from mmaction.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import ConcatDataset, Sampler


def mixed_rounds(
    sizes: Sequence[int],
    ratio: Sequence[int],
    num_rounds: int,
    seed: int | None = None,
    epoch: int = 0,
) -> np.ndarray:
    """Indices into concatenated sources, ``ratio[s]`` of source ``s`` a round.

    Each source is a stream of passes; a pass has every item once and the next
    begins when it is used up. The streams do not depend on the number of rounds:
    more rounds only add rows.

    Args:
        sizes: Items of each source.
        ratio: Items a round takes of each source.
        num_rounds: Rows of the result.
        seed: Seed of the order of a pass; None keeps the order of the source.
        epoch: Another epoch has other orders.

    Returns:
        ``(num_rounds, sum(ratio))`` int64.
    """
    offsets = np.cumsum([0, *sizes])
    columns = []
    for source, (size, share) in enumerate(zip(sizes, ratio)):
        if not share:
            continue
        passes = -(-num_rounds * share // size)
        if seed is None:
            stream = [np.arange(size)] * passes
        else:
            generator = np.random.default_rng([seed, epoch, source])
            stream = [generator.permutation(size) for _ in range(passes)]
        stream = np.concatenate(stream)[: num_rounds * share] + offsets[source]
        columns.append(stream.reshape(num_rounds, share))
    return np.concatenate(columns, axis=1)


@DATA_SAMPLERS.register_module()
class MixedSampler(Sampler):
    """Interleave the datasets of a ``ConcatDataset`` by ratio: L U L U ...

    Any ``batch_size`` divisible by ``sum(ratio)`` then holds the exact ratio. One
    epoch is one pass over the source that needs most rounds (the unlabelled list
    in semi-supervised training); the others start again with a new permutation
    whenever they are used up. Rank ``r`` of ``n`` takes rounds ``r, r + n, ...``:
    two processes with batches of 4 see together what one sees with batches of 8.
    The number of rounds is rounded up to a multiple of the world size, so that all
    ranks have the same length. Finite; the order depends on seed and epoch only.

    Args:
        dataset: ``ConcatDataset`` of the sources.
        ratio: Clips of each source in a round, in the order of the datasets; a
            source with 0 is not used.
        shuffle: Whether to permute each pass over a source.
        seed: Seed of the permutations, equal on all ranks; drawn and shared by
            default.
        num_rounds: Rounds of an epoch, if not one pass; then epochs are equally long
            whatever the lists are.

    Raises:
        TypeError: If the dataset is not a ``ConcatDataset``.
        ValueError: If the ratio does not fit or a used source is empty.
    """

    def __init__(
        self,
        dataset: ConcatDataset,
        ratio: Sequence[int] = (1, 1),
        shuffle: bool = True,
        seed: int | None = None,
        num_rounds: int | None = None,
    ) -> None:
        if not isinstance(dataset, ConcatDataset):
            raise TypeError(
                'MixedSampler draws from the parts of a ConcatDataset, got '
                f'{type(dataset).__name__}; use train_dataloader.dataset=dict('
                "type='ConcatDataset', datasets=[labelled, unlabelled])"
            )
        self.sizes = [len(part) for part in dataset.datasets]
        self.ratio = list(ratio)
        _check_ratio(self.sizes, self.ratio)
        self.rank, self.world_size = get_dist_info()
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        rounds = max(
            -(-size // share) for size, share in zip(self.sizes, self.ratio) if share
        )
        self.rounds_per_rank = -(-(num_rounds or rounds) // self.world_size)

    def __iter__(self) -> Iterator[int]:
        rounds = mixed_rounds(
            self.sizes,
            self.ratio,
            self.rounds_per_rank * self.world_size,
            self.seed if self.shuffle else None,
            self.epoch,
        )
        return iter(rounds[self.rank :: self.world_size].reshape(-1).tolist())

    def __len__(self) -> int:
        return self.rounds_per_rank * sum(self.ratio)

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutations of an epoch; mmengine's seed hook calls it."""
        self.epoch = epoch


def _check_ratio(sizes: Sequence[int], ratio: Sequence[int]) -> None:
    if len(ratio) != len(sizes):
        raise ValueError(
            f'ratio {tuple(ratio)} needs one entry for each of the {len(sizes)} '
            'datasets'
        )
    whole = all(isinstance(share, int) and share >= 0 for share in ratio)
    if not whole or not any(ratio):
        raise ValueError(
            f'ratio needs integers >= 0, not all of them 0, got {tuple(ratio)}'
        )
    for index, (size, share) in enumerate(zip(sizes, ratio)):
        if share and not size:
            raise ValueError(
                f'dataset {index} is empty but ratio {tuple(ratio)} takes {share} of '
                'each round from it; fill it or set its share to 0'
            )
