"""Pictures of a report: truth on the left, detections on the right."""

import numpy as np
import pytest

from ssvad.evaluation.tubes import Tube
from ssvad.visualization import draw
from ssvad.visualization.render_tubes import tube_colour
from ssvad.visualization.report_clips import MISSED, error_picture, side_by_side
from ssvad.visualization.report_curves import plot_curves

BAR = 18


def tube(start, box, length=3, score=0.5):
    return Tube(0, 0, start, np.array([box] * length, float), score)


def drawn(frames, truth=(), found=(), **kwargs):
    classes = ['a class']
    return list(side_by_side(frames, list(truth), list(found), classes, **kwargs))


def has(picture, colour):
    return (picture == np.array(colour)).all(axis=-1)


@pytest.mark.parametrize('size', [(32, 40), (33, 41), (240, 321), (500, 1001)])
def test_pictures_are_even_and_large_enough_and_not_too_large(size):
    (picture,) = drawn(np.zeros((1, *size, 3), np.uint8))
    height, width, _ = picture.shape
    assert height % 2 == 0 and width % 2 == 0 and picture.dtype == np.uint8
    assert 2 * 320 <= width <= 2 * 482 + 4


def test_truth_is_left_detections_are_right_each_in_its_frames():
    frames = np.zeros((6, 32, 40, 3), np.uint8)
    truth, found = tube(1, [4, 4, 12, 12]), tube(3, [20, 8, 30, 20])
    pictures = drawn(frames, [truth], [found])
    for number, picture in enumerate(pictures):
        left, right = picture[BAR:, :320], picture[BAR:, 324:]
        assert has(left, draw.GREEN).any() == (1 <= number < 4)
        assert has(right, tube_colour(0)).any() == (3 <= number < 6)
        assert not has(left, tube_colour(0)).any()
        assert not has(right, draw.GREEN).any()
    rows, columns = np.nonzero(has(pictures[1][BAR:, :320], draw.GREEN))
    # enlarged by 8
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 95, 32, 95)


def test_a_clip_that_begins_later_shows_the_same():
    frames = np.zeros((6, 32, 40, 3), np.uint8)
    what = [tube(1, [4, 4, 12, 12])], [tube(3, [20, 8, 30, 20])]
    whole, part = drawn(frames, *what), drawn(frames[2:], *what, first=2)
    np.testing.assert_array_equal(whole[2:], part)


def test_boxes_shrink_with_wide_frames():
    frames = np.zeros((1, 480, 960, 3), np.uint8)
    (picture,) = drawn(frames, [tube(0, [200, 100, 400, 300])])
    rows, columns = np.nonzero(has(picture[BAR:, :480], draw.GREEN))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 149, 100, 199)


def test_masks_and_what_was_seen():
    frames = np.full((1, 32, 40, 3), 200, np.uint8)
    mask = np.zeros((1, 32, 40), bool)
    mask[0, 8:16, 8:16] = True
    (plain,) = drawn(frames, seen=(0.0, 0.0, 0.5, 1.0))
    (masked,) = drawn(frames, masks=mask, seen=(0.0, 0.0, 0.5, 1.0))
    right = plain[BAR:, 324:]
    assert (right[:, :160] == 200).all() and (right[:, 160:] == 100).all()
    rows, columns = np.nonzero((plain != masked).any(axis=-1))
    assert rows.min() >= BAR + 64 and rows.max() < BAR + 128
    assert columns.min() >= 324 + 64 and columns.max() < 324 + 128


@pytest.mark.parametrize('missed', [False, True])
def test_errors(missed):
    frame = np.zeros((32, 40, 3), np.uint8)
    truth = np.array([[2, 2, 10, 10], [20, 8, 30, 20.0]])
    box = truth[1] if missed else np.array([20, 8, 34, 24.0])
    picture = error_picture(frame, truth, box, missed)
    assert has(picture, draw.RED).any() != missed
    assert has(picture, MISSED).any() == missed
    # the other object is outlined, and a missed one is not hidden by its own outline
    assert has(picture[:90, :90], draw.GREEN).any()
    assert has(picture[:, 150:], draw.GREEN).any() != missed


def test_curves_of_several_quantities():
    steps = [1, 2, 3]
    panels = {
        'loss $x$': {'student': (steps, [3.0, float('inf'), 1.0])},
        'acc': {'student': (steps, [1, 2, 3]), 'teacher': (steps, [2, 3, 4])},
    }
    figure = plot_curves(panels, 'epoch')
    first, second = figure.axes[:2]
    assert first.get_title(loc='left') == 'loss $x$'
    drawn = first.lines[0].get_ydata()
    assert np.isnan(drawn[1]) and drawn[[0, 2]].tolist() == [3, 1]
    assert [line.get_label() for line in second.lines] == ['student', 'teacher']
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['student', 'teacher']
    assert not plot_curves({'acc': {'student': (steps, steps)}}, 'epoch').legends
