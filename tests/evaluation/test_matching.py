import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssvad.evaluation.matching import greedy_match, pairs_with_equal_key

keys = st.lists(st.integers(0, 5), max_size=12).map(lambda k: np.array(k, np.int64))


@given(keys, keys)
def test_pairs_equal_the_double_loop(first, second):
    i, j = pairs_with_equal_key(first, second)
    expected = [
        (a, b)
        for a in range(len(first))
        for b in range(len(second))
        if first[a] == second[b]
    ]
    assert list(zip(i.tolist(), j.tolist())) == expected


# a coarse grid of overlaps makes exact ties with the threshold and each other
tables = arrays(
    np.int64,
    st.tuples(st.integers(1, 7), st.integers(1, 6)),
    elements=st.integers(0, 4),
)


def matched(iou, thrs, rematch=True):
    det, gt = (index.ravel() for index in np.indices(iou.shape))
    return greedy_match(det, gt, iou.ravel(), len(iou), thrs, rematch).tolist()


def one_after_the_other(iou, thr, rematch):
    free, hits = set(range(iou.shape[1])), []
    for row in iou:
        choices = free if rematch else range(iou.shape[1])
        best = max(choices, key=lambda g: (row[g], -g), default=None)
        hits.append(best in free and row[best] >= thr)
        if hits[-1]:
            free.remove(best)
    return hits


@given(tables, st.booleans())
def test_match_equals_serving_one_after_the_other(table, rematch):
    thrs = [0.25, 0.5, 0.75, 1.0]
    expected = [one_after_the_other(table / 4, thr, rematch) for thr in thrs]
    assert matched(table / 4, thrs, rematch) == expected


def test_long_chains_of_displacement_end():
    # every detection likes object 0 best, then 1, ...: each round frees one
    iou = np.tile(np.linspace(1, 0.6, 40), (50, 1))
    assert matched(iou, [0.5])[0] == [True] * 40 + [False] * 10
    assert matched(iou[::-1], [0.5], rematch=False)[0] == [True] + [False] * 49


def test_nothing_to_match():
    none = np.zeros(0, int)
    for rematch in (True, False):
        hits = greedy_match(none, none, np.zeros(0), 3, [0.5], rematch)
        assert hits.tolist() == [[False] * 3]
