import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, ConcatDataset

from ssvad.datasets import mixed_sampler
from ssvad.datasets.mixed_sampler import MixedSampler


@pytest.fixture
def as_rank(monkeypatch):
    def build(rank, world, sizes, **kwargs):
        monkeypatch.setattr(mixed_sampler, 'get_dist_info', lambda: (rank, world))
        return MixedSampler(concat(sizes), **{'seed': 47, **kwargs})

    return build


def concat(sizes):
    # an empty part is only possible after ConcatDataset was made, as in mmengine
    dataset = ConcatDataset([[0]] * len(sizes))
    dataset.datasets = [range(size) for size in sizes]
    return dataset


def source_of(index, sizes):
    return int(np.searchsorted(np.cumsum(sizes), index, side='right'))


cases = (
    st.tuples(
        st.lists(st.integers(1, 30), min_size=2, max_size=3),
        st.lists(st.integers(0, 4), min_size=3, max_size=3),
    )
    .map(lambda c: (c[0], c[1][: len(c[0])]))
    .filter(lambda c: any(c[1]))
)


@given(case=cases, world=st.sampled_from([1, 2, 4]), epoch=st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_ratio_coverage_and_ranks(case, world, epoch):
    sizes, ratio = case
    with pytest.MonkeyPatch.context() as patch:
        orders = {}
        for ranks in {1, world}:
            for rank in range(ranks):
                patch.setattr(
                    mixed_sampler, 'get_dist_info', lambda r=rank, n=ranks: (r, n)
                )
                sampler = MixedSampler(concat(sizes), ratio=ratio, seed=5)
                sampler.set_epoch(epoch)
                orders[rank, ranks] = list(sampler)
                assert len(sampler) == len(orders[rank, ranks])
    per_round = sum(ratio)
    pattern = [s for s, share in enumerate(ratio) for _ in range(share)]
    ranks = [orders[rank, world] for rank in range(world)]
    assert len({len(order) for order in ranks}) == 1
    rounds = [
        order[i : i + per_round]
        for i in range(0, len(ranks[0]), per_round)
        for order in ranks
    ]
    for one in rounds:
        assert [source_of(i, sizes) for i in one] == pattern
    # together the ranks see what one process sees, then less than a round each
    alone = orders[0, 1]
    together = sum(rounds, [])
    assert together[: len(alone)] == alone
    assert len(together) - len(alone) <= (world - 1) * per_round

    needed = {s: -(-sizes[s] // r) for s, r in enumerate(ratio) if r}
    assert len(alone) == max(needed.values()) * per_round
    for source, share in enumerate(ratio):
        drawn = [i for i in together if source_of(i, sizes) == source]
        if not share:
            assert not drawn
            continue
        counts = np.bincount(drawn, minlength=sum(sizes))
        start = sum(sizes[:source])
        counts = counts[start : start + sizes[source]]
        assert counts.max() - counts.min() <= 1
        exact = len(rounds) * share == sizes[source]
        if exact:
            assert (counts == 1).all()
    longest = max(needed, key=needed.get)
    assert set(range(sum(sizes[:longest]), sum(sizes[: longest + 1]))) <= set(alone)


def test_ranks_are_disjoint_on_the_unlabelled_list(as_rank):
    seen = []
    for rank in range(4):
        order = list(as_rank(rank, 4, (5, 40)))
        seen.append({i for i in order if i >= 5})
        assert len(seen[-1]) == 10
    assert set.union(*seen) == set(range(5, 45))


def test_one_epoch_of_the_paper(as_rank):
    order = list(as_rank(0, 1, (457, 1824)))
    assert len(order) == 2 * 1824
    assert sorted(order[1::2]) == list(range(457, 2281))
    labelled = order[::2]
    for start in range(0, 1824 - 457, 457):
        assert sorted(labelled[start : start + 457]) == list(range(457))
    assert labelled[:457] != labelled[457:914]


def test_global_batches_do_not_depend_on_the_number_of_processes(as_rank):
    one = list(BatchSampler(as_rank(0, 1, (6, 32)), 8, drop_last=False))
    two = [
        list(BatchSampler(as_rank(rank, 2, (6, 32)), 4, drop_last=False))
        for rank in range(2)
    ]
    assert [set(a) for a in one] == [set(a) | set(b) for a, b in zip(*two)]


def test_epochs_differ_and_seeds_repeat(as_rank):
    sampler = as_rank(0, 1, (5, 20))
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert list(as_rank(0, 1, (5, 20))) == first
    # a seed and epoch of equal sum are not the same order
    other = as_rank(0, 1, (5, 20), seed=46)
    other.set_epoch(1)
    assert list(other) not in (first, second)


def test_without_shuffle_the_lists_keep_their_order(as_rank):
    order = list(as_rank(0, 1, (2, 4), shuffle=False))
    assert order == [0, 2, 1, 3, 0, 4, 1, 5]


def test_seed_is_drawn_if_not_given(as_rank):
    assert isinstance(as_rank(0, 1, (2, 4), seed=None).seed, int)


@pytest.mark.parametrize(
    'sizes, ratio, message',
    [
        ((3, 4), (1,), r'ratio \(1,\).*each of the 2'),
        ((3, 4), (0, 0), 'not all of them 0'),
        ((3, 4), (1, -1), 'integers >= 0'),
        ((3, 4), (0.5, 0.5), 'integers >= 0'),
        ((0, 4), (1, 1), 'dataset 0 is empty'),
    ],
)
def test_errors(sizes, ratio, message):
    with pytest.raises(ValueError, match=message):
        MixedSampler(concat(sizes), ratio=ratio, seed=0)


def test_an_unused_source_may_be_empty(as_rank):
    assert sorted(as_rank(0, 1, (3, 0), ratio=(1, 0))) == [0, 1, 2]


def test_needs_a_concat_dataset():
    with pytest.raises(TypeError, match='ConcatDataset, got range'):
        MixedSampler(range(4))


@pytest.mark.parametrize('world', [1, 2])
def test_epochs_can_be_equally_long_whatever_the_lists(as_rank, world):
    short, long = (
        [i for r in range(world) for i in as_rank(r, world, sizes, num_rounds=6)]
        for sizes in ([4, 3], [4, 50])
    )
    assert (
        len(short) == len(long) == len(as_rank(0, world, [4, 3], num_rounds=6)) * world
    )
    assert len(short) == 12
    labeled = [[i for i in order if i < 4] for order in (short, long)]
    assert labeled[0] == labeled[1]  # they do not depend on the other list
