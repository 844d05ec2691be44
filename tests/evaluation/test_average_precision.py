import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.evaluation.average_precision import (
    average_precision,
    mean_over_present,
    per_class_ap,
    precision_recall,
)

hit_lists = st.lists(st.booleans(), max_size=30)


@pytest.mark.parametrize(
    ('hits', 'num_gt', 'expected'),
    [
        ([], 2, 0.0),
        ([1, 1], 2, 1.0),
        ([1], 2, 0.5),
        ([0, 1], 1, 0.25),
        # segments: (1 + 1) / 2 to recall 1/3, (1/2 + 2/3) / 2 to recall 2/3
        ([1, 0, 1], 3, 1 / 3 + 7 / 36),
    ],
)
def test_trapezoids_from_recall_0_precision_1(hits, num_gt, expected):
    assert average_precision(np.array(hits, bool), num_gt) == pytest.approx(expected)


@given(hit_lists, st.integers(0, 30), st.integers(1, 5))
def test_a_false_positive_never_raises_ap(hits, place, extra_gt):
    num_gt = sum(hits) + extra_gt
    worse = np.array(hits[:place] + [False] + hits[place:], bool)
    before = average_precision(np.array(hits, bool), num_gt)
    assert 0 <= average_precision(worse, num_gt) <= before <= 1


def test_needs_ground_truth():
    with pytest.raises(ValueError, match='num_gt=0'):
        average_precision(np.array([False]), 0)


def test_classes_without_ground_truth_are_nan_and_left_out():
    per_class = per_class_ap(
        np.array([[True, False, True], [False, False, True]]),
        np.array([0, 1, 0]),
        np.array([2, 0, 3]),
    )
    np.testing.assert_equal(per_class, [[1.0, np.nan, 0.0], [0.125, np.nan, 0.0]])
    assert mean_over_present(per_class[0]) == 0.5
    assert mean_over_present(np.array([np.nan, np.nan])) == 0.0


@pytest.mark.parametrize(
    ('hits', 'num_gt', 'expected'),
    [
        ([], 2, 0.0),
        ([1, 1], 2, 1.0),
        ([0, 1], 1, 0.5),
        # the best precision at recall 1/3 or beyond is 1, at 2/3 it is 3/4
        ([1, 0, 1, 1], 4, 1 / 4 + 3 / 4 / 2),
    ],
)
def test_voc_takes_the_best_precision_from_each_recall_on(hits, num_gt, expected):
    ap = average_precision(np.array(hits, bool), num_gt, kind='voc')
    assert ap == pytest.approx(expected)


@given(hit_lists, st.integers(1, 5))
def test_voc_is_never_below_the_trapezoids_between_right_detections(hits, extra_gt):
    num_gt = sum(hits) + extra_gt
    voc = average_precision(np.array(hits, bool), num_gt, kind='voc')
    precision, recall = precision_recall(np.array(hits, bool), num_gt)
    assert recall[-1] >= voc >= np.sum(np.diff(recall) * precision[1:]) - 1e-12
