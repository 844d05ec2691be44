import cv2
import numpy as np
import pytest

from ssvad.visualization import draw

GREY = np.full((20, 30, 3), 100, np.uint8)


def test_mask_tints_only_its_pixels():
    mask = np.zeros((20, 30), bool)
    mask[5:10, 6:12] = True
    out = draw.overlay_mask(GREY, mask, draw.GREEN)
    changed = (out != GREY).any(-1)
    assert (changed == mask).all()
    assert (GREY == 100).all()


def test_box_outline_lies_inside_the_half_open_box():
    out = draw.draw_box(GREY, np.array([4.0, 3.0, 14.0, 13.0]), draw.WHITE)
    rows, columns = np.nonzero((out != GREY).any(-1))
    assert (columns.min(), columns.max()) == (4, 13)
    assert (rows.min(), rows.max()) == (3, 12)


def test_heat_runs_from_blue_to_red():
    values = np.zeros((20, 30))
    values[:, 15:] = 1
    out = draw.heat_map(GREY, values).astype(int)
    assert out[0, 0, 2] > out[0, 0, 0] and out[0, -1, 0] > out[0, -1, 2]


def test_enlarge_repeats_pixels():
    frame = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = draw.enlarge(frame, 3)
    assert large.shape == (6, 6, 3)
    assert (large[::3, ::3] == frame).all() and (large[2::3, 2::3] == frame).all()


def test_strip_holds_all_frames_under_a_caption():
    strip = draw.film_strip([GREY, GREY], 'two frames')
    assert strip.shape == (20 + 18, 2 * 30 + 2, 3)


def test_png_keeps_the_order_of_colours(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    draw.save_png(str(tmp_path / 'red.png'), red)
    assert cv2.imread(str(tmp_path / 'red.png'))[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(OSError, match='could not write the picture'):
        draw.save_png(str(tmp_path / 'missing' / 'red.png'), red)
