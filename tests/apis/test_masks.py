import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ssvad.apis.masks import Spool, decode_rle, encode_rle, mask_in_source
from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels

MASKS = npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, max_side=9))


@given(MASKS)
def test_runs_give_the_mask_back(mask):
    rle = encode_rle(mask)
    assert np.array_equal(decode_rle(rle), mask)
    assert rle['size'] == list(mask.shape) and sum(rle['counts']) == mask.size
    assert all(type(count) is int for count in rle['counts'])
    assert all(count > 0 for count in rle['counts'][1:])


def test_runs_go_down_the_columns_as_in_coco():
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert encode_rle(mask) == dict(size=[2, 3], counts=[2, 3, 1])
    assert encode_rle(~mask)['counts'] == [0, 2, 3, 1]


def test_wrong_runs_are_refused():
    with pytest.raises(ValueError, match='runs of 5 pixels are no mask of 2 x 3'):
        decode_rle(dict(size=[2, 3], counts=[2, 3]))


@given(
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 10**6),
)
def test_boxes_of_the_laid_mask_are_the_moved_boxes(scale, top, left, seed):
    """A crop of whole pixels, its mask enlarged by a whole factor or shrunk."""
    rng = np.random.RandomState(seed)
    mask = np.zeros((8, 12), bool)
    y, x = rng.randint(0, 6, 2)
    mask[y : y + rng.randint(1, 4), x : x + rng.randint(1, 5)] = True
    height, width = 8 * scale, 12 * scale
    shape = (top + height + 2, left + width + 1)
    crop = np.array(
        [left / shape[1], top / shape[0], width / shape[1], height / shape[0]], 'f4'
    )
    laid = mask_in_source(mask, crop, shape)
    assert laid.shape == shape and laid.sum() == scale**2 * mask.sum()
    (box,) = mask_to_boxes(laid[None].astype('f4'), min_area=1).boxes
    (small,) = mask_to_boxes(mask[None].astype('f4'), min_area=1).boxes
    moved = to_source_pixels(small[None], mask.shape, crop, shape)[0]
    np.testing.assert_allclose(box, moved, atol=1e-4)


def test_a_mask_finer_than_the_video_is_sampled():
    mask = np.zeros((24, 32), bool)
    mask[7:17, 9:21] = True
    laid = mask_in_source(mask, (0, 0, 1, 1), (12, 16))
    rows, columns = np.nonzero(laid)
    # pixel 3 has its centre on the border of 6 and 7, and so on
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 7, 4, 9)


@given(st.lists(MASKS, max_size=5))
def test_a_spool_gives_masks_back_as_often_as_asked(masks):
    with Spool() as spool:
        spool.keep_masks(masks[:2])
        spool.keep_masks(masks[2:])
        for _ in range(2):
            found = list(spool.masks())
            assert len(found) == len(masks)
            assert all(np.array_equal(a, b) for a, b in zip(found, masks))


def test_a_spool_gives_pictures_back_nearly():
    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    frames = [np.stack([ramp[:, None] * np.ones(32, 'u1')] * 3, -1) for _ in range(3)]
    frames[1][..., 0] = 200
    with Spool() as spool:
        passed = list(spool.keep_pictures(iter(frames)))
        kept = list(spool.pictures())
    assert len(kept) == len(passed) == 3
    for ours, through, frame in zip(kept, passed, frames):
        assert through is frame and ours.shape == frame.shape
        assert np.abs(ours.astype(int) - frame).mean() < 3
