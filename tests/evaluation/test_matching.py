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
@given(
    arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)),
           elements=st.integers(0, 4)),
    st.integers(1, 4),
)  # fmt: skip
def test_match_equals_removal_from_a_list(table, thr):
    iou, thr = table / 4, thr / 4
    left, expected = list(range(iou.shape[1])), []
    for row in iou:
        best = max(left, key=lambda g: (row[g], -g), default=None)
        expected.append(best is not None and row[best] >= thr)
        if expected[-1]:
            left.remove(best)
    det, gt = (index.ravel() for index in np.indices(iou.shape))
    assert greedy_match(det, gt, iou.ravel(), len(iou), thr).tolist() == expected
