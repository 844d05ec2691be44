import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from ssvad.datasets.cover_crops import CoverCrops, cover_axis
from ssvad.geometry import crop_places


def frames_of(height, width, count=2):
    """Frames whose pixels tell frame, row and column."""
    grid = np.indices((count, height, width)).transpose(1, 2, 3, 0)
    return dict(imgs=list(grid), img_shape=(height, width))


@given(st.integers(1, 60), st.integers(1, 60))
def test_as_few_crops_as_possible_cover_an_axis(length, crop):
    length = max(length, crop)
    starts = cover_axis(length, crop)
    assert (len(starts) - 1) * crop < length <= len(starts) * crop
    assert {0, length - crop} <= set(starts.tolist())
    steps = np.diff(starts)
    assert (steps <= crop).all() and np.ptp(steps if len(steps) else [0]) <= 1


def test_two_crops_of_a_wide_frame():
    results = CoverCrops(crop_size=(224, 240))(frames_of(240, 320))
    assert [img.shape for img in results['imgs']] == [(240, 224, 3)] * 4
    # crop after crop, frame after frame: (frame, row, column) of the first pixels
    firsts = [img[0, 0].tolist() for img in results['imgs']]
    assert firsts == [[0, 0, 0], [1, 0, 0], [0, 0, 96], [1, 0, 96]]
    np.testing.assert_allclose(
        results['crop_quadruples'], [[0, 0, 0.7, 1], [0.3, 0, 0.7, 1]], atol=1e-7
    )
    assert results['crop_quadruple'].tolist() == [0, 0, 1, 1]
    assert results['img_shape'] == (240, 320)


@given(st.integers(4, 20), st.integers(4, 20), st.integers(1, 4), st.integers(1, 4))
def test_crops_lie_where_they_were_cut(height, width, crop_height, crop_width):
    results = frames_of(height, width, count=1)
    results['crop_quadruple'] = np.array([0.25, 0.1, 0.5, 0.8], np.float32)
    results = CoverCrops(crop_size=(crop_width, crop_height))(results)
    size, places = crop_places(
        (crop_height, crop_width), results['crop_quadruples'], results['crop_quadruple']
    )
    assert size == (height, width) and len(places) == len(results['imgs'])
    whole = frames_of(height, width, count=1)['imgs'][0]
    seen = np.zeros(size, bool)
    for place, img in zip(places, results['imgs']):
        assert (whole[place] == img).all()
        seen[place] = True
    assert seen.all()


def test_mask_stays_that_of_the_whole_frame():
    results = dict(frames_of(8, 12), original_shape=(8, 12))
    results['gt_mask'] = np.random.default_rng(0).integers(0, 2, (2, 8, 12), np.uint8)
    expected = results['gt_mask'].copy()
    transforms = dict(type='CoverCrops', crop_size=8), dict(type='AlignMask')
    for transform in transforms:
        results = TRANSFORMS.build(transform)(results)
    assert (results['gt_mask'].numpy() == expected).all()
    assert len(results['imgs']) == 4


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='crops of 9x4 do not fit a frame of 8x6'):
        CoverCrops((9, 4))(frames_of(6, 8))
    with pytest.raises(ValueError, match='Fuse'):
        CoverCrops(4)(dict(frames_of(6, 8), lazy={}))
    with pytest.raises(ValueError, match=r'\(width, height\) in pixels, got \(4, 0\)'):
        CoverCrops((4, 0))
