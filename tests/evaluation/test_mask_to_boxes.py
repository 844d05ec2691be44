import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels
from tests.evaluation.oracles import components

probabilities = arrays(
    np.float32, (2, 7, 9), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
)


@given(probabilities, st.integers(1, 8), st.sampled_from([0.0, 0.25, 0.5]))
def test_equals_flood_fill(mask, min_area, min_rel_area):
    found = mask_to_boxes(mask, 0.5, min_area, min_rel_area)
    expected = []
    for frame in range(2):
        parts = components(mask[frame], 0.5)
        limit = max([min_area] + [min_rel_area * len(part) for part in parts])
        for rows, cols in (np.transpose(p) for p in parts if len(p) >= limit):
            box = (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
            expected.append((frame, *box, mask[frame][rows, cols].mean(dtype=float)))
    got = np.column_stack([found.frame, found.boxes, found.prob]).reshape(-1, 6)
    expected = np.array(expected, float).reshape(-1, 6)
    assert np.array_equal(sorted(got.tolist()), sorted(expected.tolist()))
    assert (np.diff(found.frame) >= 0).all()


def test_diagonal_neighbours_belong_together():
    found = mask_to_boxes(np.eye(6, dtype=np.float32)[None], min_area=6)
    np.testing.assert_array_equal(found.boxes, [[0, 0, 6, 6]])


def test_default_area_filter():
    mask = np.zeros((2, 64, 64), np.float32)
    mask[0, :5, :5] = 1  # 25 pixels, just enough
    mask[0, 20:24, 20:26] = 1  # 24 pixels
    mask[1, :30, :30] = 1  # 900 pixels, 5 % of which are 45
    mask[1, 40:45, 40:48] = 1  # 40 pixels
    mask[1, 40:45, :9] = 1  # 45 pixels
    found = mask_to_boxes(mask)
    np.testing.assert_array_equal(
        found.boxes, [[0, 0, 5, 5], [0, 0, 30, 30], [0, 40, 9, 45]]
    )
    np.testing.assert_array_equal(found.frame, [0, 1, 1])


def test_empty_mask_gives_empty_arrays():
    found = mask_to_boxes(np.zeros((3, 8, 8), np.float32))
    assert found.frame.shape == (0,)
    assert found.boxes.shape == (0, 4)
    assert found.prob.shape == (0,)


def test_centre_crop_is_shifted_back():
    # 224 crop of a 320x240 video: 48 columns and 8 rows were cut off
    boxes = to_source_pixels(
        np.array([[0, 0, 224, 224], [10, 20, 30, 40.0]]),
        (224, 224),
        (48 / 320, 8 / 240, 224 / 320, 224 / 240),
        (240, 320),
    )
    np.testing.assert_allclose(boxes, [[48, 8, 272, 232], [58, 28, 78, 48]])


@given(st.integers(1, 8), st.integers(1, 8))
def test_resized_full_frame_is_scaled_back(sx, sy):
    box = np.array([[2, 3, 10, 7.0]])
    back = to_source_pixels(box, (16, 12), (0, 0, 1, 1), (16 * sy, 12 * sx))
    assert back == pytest.approx(box * [sx, sy, sx, sy])


def test_connectivity_can_be_four():
    mask = np.eye(6, dtype=np.float32)[None]
    assert len(mask_to_boxes(mask, min_area=1, connectivity=4).frame) == 6
    with pytest.raises(ValueError, match='4 or 8, got 6'):
        mask_to_boxes(mask, connectivity=6)


@given(st.integers(0, 20), st.integers(0, 30))
def test_position_in_the_frame_does_not_matter(dy, dx):
    patch = np.random.default_rng(0).random((1, 9, 12), np.float32)
    mask = np.zeros((1, 29, 42), np.float32)
    mask[:, dy : dy + 9, dx : dx + 12] = patch
    moved, still = mask_to_boxes(mask, 0.4, 1), mask_to_boxes(patch, 0.4, 1)
    np.testing.assert_array_equal(moved.boxes, still.boxes + [dx, dy, dx, dy])
    np.testing.assert_array_equal(moved.prob, still.prob)
