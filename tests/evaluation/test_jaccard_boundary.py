import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssvad.evaluation.jaccard_boundary import (
    boundary_accuracy,
    boundary_radius,
    mask_boundary,
    region_similarity,
)


def test_tolerance_grows_with_the_diagonal():
    assert boundary_radius((300, 400)) == 4
    assert boundary_radius((301, 400)) == 5


def slow_boundary(mask):
    height, width = mask.shape
    edge = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            for other in ((y, x + 1), (y + 1, x), (y + 1, x + 1)):
                if other[0] < height and other[1] < width:
                    edge[y, x] |= mask[y, x] != mask[other]
    return edge


def slow_accuracy(pred, gt, radius):
    """Distances between all pairs of boundary pixels, written out."""
    points = [np.argwhere(slow_boundary(mask)) for mask in (pred, gt)]
    if not len(points[0]) or not len(points[1]):
        return float(len(points[0]) == len(points[1]))
    gaps = np.square(points[0][:, None] - points[1][None]).sum(axis=-1)
    near = gaps <= radius**2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 2 * precision * recall / (precision + recall) if near.any() else 0.0


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
pairs = sizes.flatmap(lambda size: st.tuples(*[arrays(bool, size)] * 2))


@given(pairs, st.integers(0, 4))
def test_equals_the_literal_definition(pair, radius):
    pred, gt = pair
    np.testing.assert_array_equal(mask_boundary(pred), slow_boundary(pred))
    found = boundary_accuracy(pred, gt, radius)
    assert found == pytest.approx(slow_accuracy(pred, gt, radius), abs=1e-12)


@given(pairs)
def test_both_are_symmetric_and_within_0_and_1(pair):
    for measure in (region_similarity, boundary_accuracy):
        assert 0 <= measure(*pair) <= 1
        assert measure(*pair) == pytest.approx(measure(*pair[::-1]))
        assert measure(pair[0], pair[0]) == 1


@given(pairs, st.integers(0, 4))
def test_more_tolerance_never_lowers_f(pair, radius):
    near, far = (boundary_accuracy(*pair, r) for r in (radius, radius + 1))
    assert far >= near - 1e-12


def test_empty_and_full_masks():
    none, full = np.zeros((20, 30), bool), np.ones((20, 30), bool)
    some = none.copy()
    some[5:9, 5:9] = True
    for pred, gt, j, f in [
        (none, none, 1, 1),
        (none, some, 0, 0),
        (some, none, 0, 0),
        # a full frame has no boundary either
        (full, full, 1, 1),
        (full, none, 0, 1),
        (some, full, 16 / 600, 0),
    ]:
        assert (region_similarity(pred, gt), boundary_accuracy(pred, gt)) == (j, f)
