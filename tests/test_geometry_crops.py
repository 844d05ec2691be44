"""Maps of overlapping crops put together."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssvad.geometry import average_crops, crop_places


def average_by_loops(maps, corners, size):
    """Mean over the crops that show a pixel, pixel by pixel."""
    out = np.zeros((maps.shape[1], *size))
    height, width = maps.shape[2:]
    for row in range(size[0]):
        for column in range(size[1]):
            values = [
                maps[crop, :, row - top, column - left]
                for crop, (left, top) in enumerate(corners)
                if 0 <= row - top < height and 0 <= column - left < width
            ]
            if values:
                out[:, row, column] = np.mean(values, axis=0)
    return out


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=4),
    st.sampled_from([(0.0, 0.0, 1.0, 1.0), (0.25, 0.1, 0.5, 0.8)]),
)
def test_average_is_that_of_the_loops(corners, whole):
    # crops of 5 x 3 pixels (width x height) in a frame of 11 x 7
    maps = np.random.default_rng(len(corners)).random((len(corners), 2, 3, 5))
    x, y, w, h = whole
    crops = [
        (x + w * left / 11, y + h * top / 7, w * 5 / 11, h * 3 / 7)
        for left, top in corners
    ]
    joined = average_crops(
        torch.from_numpy(maps), np.array(crops, np.float32), np.float32(whole)
    )
    np.testing.assert_allclose(joined, average_by_loops(maps, corners, (7, 11)))


def test_scale_of_the_maps_is_free():
    # maps at half the resolution of crops of 224 x 240 in a frame of 320 x 240
    crops = [[0, 0, 0.7, 1], [0.3, 0, 0.7, 1]]
    size, places = crop_places((120, 112), crops, (0, 0, 1, 1))
    assert size == (120, 160)
    assert [columns.start for _, columns in places] == [0, 48]


def test_what_does_not_fit_is_refused():
    maps = torch.rand(2, 1, 4, 4)
    halves = [[0, 0, 0.5, 1], [0.5, 0, 0.5, 1]]
    with pytest.raises(ValueError, match='2 maps came for 1 crops'):
        average_crops(maps, halves[:1], (0, 0, 1, 1))
    with pytest.raises(ValueError, match='of one size'):
        average_crops(maps, [halves[0], [0.5, 0, 0.4, 1]], (0, 0, 1, 1))
    with pytest.raises(ValueError, match='4x4 at 4, 0 leaves the frame of 4x4'):
        average_crops(maps, halves, (0, 0, 0.5, 1))
