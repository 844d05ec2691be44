"""What any number of processes takes from the lists, batch by batch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, ConcatDataset

from ssvad.datasets import mixed_sampler
from ssvad.datasets.mixed_sampler import MixedSampler


def concat(*sizes):
    return ConcatDataset([range(size) for size in sizes])


def batches_of(rank, world, sizes, ratio, batch, epoch=0):
    """The batches that the loader of one process gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixed_sampler, 'get_dist_info', lambda: (rank, world))
        sampler = MixedSampler(concat(*sizes), ratio=ratio, seed=9)
    sampler.set_epoch(epoch)
    return list(BatchSampler(sampler, batch, drop_last=False))


sizes = st.tuples(st.integers(1, 9), st.integers(1, 60))
ratios = st.tuples(st.integers(1, 3), st.integers(1, 4))


@settings(deadline=None, max_examples=200)
@given(sizes, ratios, st.integers(1, 17), st.integers(1, 12), st.integers(0, 3))
def test_ranks_stay_in_step_and_miss_nothing(sizes, ratio, world, batch, epoch):
    labeled, unlabeled = sizes
    ranks = [
        batches_of(rank, world, sizes, ratio, batch, epoch) for rank in range(world)
    ]
    # as many batches on each rank, and in each as many clips of each kind: no rank
    # waits for another, and the mean over ranks of means over clips is the mean
    kinds = [[[i < labeled for i in b] for b in batches] for batches in ranks]
    assert all(kind == kinds[0] for kind in kinds)
    # every clip of the longer list comes; one that comes twice fills the last round
    drawn = [i for batches in ranks for b in batches for i in b]
    rounds = max(-(-labeled // ratio[0]), -(-unlabeled // ratio[1]))
    rounds += -rounds % world
    for first, size, share in ((0, labeled, ratio[0]), (labeled, unlabeled, ratio[1])):
        own = [i - first for i in drawn if first <= i < first + size]
        assert len(own) == rounds * share
        counts = [own.count(i) for i in range(size)]
        assert min(counts) == rounds * share // size
        assert max(counts) == -(-rounds * share // size)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 9), st.integers(1, 4))
def test_unlabelled_clips_come_once_but_for_the_last_round(
    labeled, more, world, rounds_of_a_batch
):
    unlabeled = labeled + more  # the usual case: labels are scarce
    ranks = [
        batches_of(rank, world, (labeled, unlabeled), (1, 1), 2 * rounds_of_a_batch)
        for rank in range(world)
    ]
    drawn = [i for batches in ranks for b in batches for i in b if i >= labeled]
    assert set(drawn) == set(range(labeled, labeled + unlabeled))
    assert len(drawn) - unlabeled == -unlabeled % world < world


@settings(deadline=None, max_examples=100)
@given(sizes, ratios, st.sampled_from([2, 3, 4, 6]), st.integers(1, 4))
def test_a_step_has_the_same_clips_however_it_is_divided(sizes, ratio, parts, rounds):
    small = rounds * sum(ratio)
    one = batches_of(0, 1, sizes, ratio, small * parts)
    ranks = [batches_of(rank, parts, sizes, ratio, small) for rank in range(parts)]
    accumulated = batches_of(0, 1, sizes, ratio, small)
    for step, batch in enumerate(one):
        several = [i for batches in ranks for i in batches[step]]
        # the last step is filled up to a whole round on each rank
        whole = len(batch) % (parts * sum(ratio)) == 0
        if whole:
            assert sorted(several) == sorted(batch)
        else:
            assert not set(batch) - set(several)
        in_turn = accumulated[step * parts : (step + 1) * parts]
        assert sum(in_turn, []) == batch
