import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.visualization import render_tubes as module
from ssvad.visualization.render_tubes import (
    GREY,
    StripPicker,
    best_tubes,
    render_tubes,
    tube_colour,
)

DARK = np.full((240, 320, 3), 40, np.uint8)


def tube(box, number=0, start=0, length=1, score=0.5, name='run'):
    boxes = [list(box)] * length
    return {'id': number, 'class': name, 'score': score, 'start': start, 'boxes': boxes}


def is_near(pixels, colour, tolerance=6):
    return (np.abs(pixels.astype(int) - colour) <= tolerance).all(-1)


def test_colours_of_the_first_actors_differ():
    colours = np.array([tube_colour(n) for n in range(8)])
    distance = np.abs(colours[:, None] - colours).sum(-1)
    assert distance[np.triu_indices(8, 1)].min() > 80
    assert colours.min() >= 0 and colours.max() <= 255


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12))
def test_each_actor_has_its_best_class(pairs):
    tubes = [tube([0, 0, 1, 1], n, score=s / 10) for n, s in pairs]
    found = best_tubes(tubes, 0.3)
    expected = {n: max(t['score'] for t in tubes if t['id'] == n) for n, _ in pairs}
    expected = {n: score for n, score in expected.items() if score >= 0.3}
    assert {t['id']: t['score'] for t in found} == expected
    scores = [t['score'] for t in found]
    assert scores == sorted(scores, reverse=True) and len(found) == len(expected)


def test_tubes_are_drawn_on_their_frames_only():
    tubes = [tube([100, 100, 160, 180], 1, start=2, length=3)]
    pictures = list(render_tubes([DARK] * 7, tubes))
    drawn = [not np.array_equal(picture, DARK) for picture in pictures]
    assert drawn == [False, False, True, True, True, False, False]
    outline = is_near(pictures[2], tube_colour(1), 0)
    assert outline[100:180, 100].all() and outline[179, 100:160].all()
    assert not outline[100:, 160:].any() and not outline[180:].any()


def test_each_frame_has_its_own_box():
    moving = tube([0, 100, 50, 150], start=3)
    moving['boxes'] = [[100 + 20 * i, 100, 150 + 20 * i, 150] for i in range(4)]
    for index, picture in enumerate(render_tubes([DARK] * 8, [moving])):
        columns = is_near(picture[140], tube_colour(0), 0).nonzero()[0].tolist()
        left = 100 + 20 * (index - 3)
        assert columns == ([left, left + 49] if 3 <= index < 7 else [])


def test_masks_have_the_colour_of_the_tube_that_they_are_in():
    mask = np.zeros((240, 320), bool)
    mask[110:170, 110:150] = True
    mask[20:60, 200:240] = True  # in no tube
    tubes = [tube([100, 100, 160, 180], 3)]
    (picture,) = render_tubes([DARK], tubes, [mask])
    tint = 0.55 * 40 + 0.45 * np.array([tube_colour(3), GREY])
    assert is_near(picture[112:168, 112:148], tint[0]).all()
    assert is_near(picture[22:58, 202:238], tint[1]).all()
    untouched = picture[200:, :]
    assert (untouched == 40).all()
    (without,) = render_tubes([DARK], tubes)
    assert (without[112:168, 112:148] == 40).all()


def test_what_the_network_did_not_see_is_darker():
    (picture,) = render_tubes([DARK], [], None, (0.25, 0, 0.5, 0.5))
    assert (picture[:120, 80:240] == 40).all()
    assert (picture[120:] == 20).all() and (picture[:, :80] == 20).all()
    assert (picture[:, 240:] == 20).all()


@pytest.mark.parametrize('height, width', [(48, 64), (47, 63), (333, 501), (1, 1)])
def test_pictures_can_be_encoded_whatever_the_size(height, width):
    frame = np.full((height, width, 3), 200, np.uint8)
    box = [0, 0, width, height]
    (picture,) = render_tubes([frame], [tube(box)], [np.ones((height, width), bool)])
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[1] >= min(320, module.MIN_WIDTH)
    factor = picture.shape[1] // width
    assert picture.shape[0] - factor * height in (0, 1)


def test_boxes_may_leave_the_frame_and_labels_stay_inside():
    frame = np.full((100, 400, 3), 9, np.uint8)
    tubes = [tube([-30, -20, 60, 50], 0, name='LongNamedAction')]
    tubes += [tube([380, 60, 450, 130], 1, name='LongNamedAction')]
    (picture,) = render_tubes([frame], tubes, [np.ones((100, 400), bool)])
    assert picture.shape == frame.shape
    for number in (0, 1):
        assert is_near(picture, tube_colour(number), 0).sum() > 300
    # the whole bar of the second, longer than the room beside its box
    bar = is_near(picture[40:60], tube_colour(1), 0).any(0)
    assert np.flatnonzero(bar)[0] < 300


def test_frames_stream():
    pulled = []

    def frames():
        for index in range(100):
            pulled.append(index)
            yield DARK

    next(render_tubes(frames(), []))
    assert len(pulled) == 1


@given(st.integers(1, 40), st.integers(1, 12))
def test_strips_show_evenly_spaced_frames(num_frames, count):
    picker = StripPicker(num_frames, count)
    frames = [np.full((6, 8, 3), 5 * i, np.uint8) for i in range(num_frames)]
    passed = list(picker.watch(iter(frames)))
    assert all(a is b for a, b in zip(passed, frames)) and len(passed) == num_frames
    strip = picker.row('title')
    shown = min(count, num_frames)
    assert strip.shape == (18 + 18 + 6, 8 * shown + 2 * (shown - 1), 3)
    values = strip[-1, 4::10, 0] // 5
    assert values[0] == 0 and (
        num_frames == 1 or shown == 1 or values[-1] == num_frames - 1
    )
    steps = np.diff(values.astype(int))
    assert len(values) == shown and (not len(steps) or np.ptp(steps) <= 1)


def test_large_frames_are_shrunk_for_the_strip():
    picker = StripPicker(2)
    list(picker.watch([np.zeros((1080, 1920, 3), np.uint8)] * 2))
    assert picker.row('x').shape == (18 + 18 + 135, 2 * 240 + 2, 3)
