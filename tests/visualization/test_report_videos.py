"""Which videos a report shows, and what of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssvad.evaluation.tubes import Tube, tube_iou
from ssvad.visualization.report_videos import (
    MOST_TUBES,
    clip_window,
    pick_videos,
    shown_tubes,
    video_overlaps,
)

NUM = 3
tubes = st.lists(
    st.builds(
        lambda video, label, start, length, x, score: Tube(
            *(video, label, start, np.array([[x, 0, x + 10, 10.0]] * length), score)
        ),
        st.integers(0, NUM - 1),
        st.integers(0, 1),
        st.integers(0, 5),
        st.integers(1, 5),
        st.integers(0, 30),
        st.sampled_from([0.1, 0.5, 0.9]),
    ),
    max_size=25,
)


@given(tubes, tubes)
def test_a_place_has_one_class_the_best(truth, found):
    shown = shown_tubes(truth, found, NUM)
    assert len(shown) == NUM
    for video, kept in enumerate(shown):
        most = max(MOST_TUBES, sum(tube.video == video for tube in truth))
        assert len(kept) <= most
        assert [t.score for t in kept] == sorted((t.score for t in kept), reverse=True)
        for i, tube in enumerate(kept):
            assert tube.video == video
            assert all(tube_iou(tube, other) <= 0.5 for other in kept[:i])
        of_video = [tube for tube in found if tube.video == video]
        for tube in of_video if len(kept) < most else ():
            better = [k for k in kept if k.score >= tube.score]
            assert any(k is tube or tube_iou(k, tube) > 0.5 for k in better)


@given(tubes, tubes)
def test_overlap_is_that_of_the_definition(truth, found):
    shown = shown_tubes(truth, found, NUM)
    overlaps = video_overlaps(truth, shown)
    for video in range(NUM):
        best = [
            max([tube_iou(t, s) for s in shown[video] if s.label == t.label] or [0])
            for t in truth
            if t.video == video
        ]
        expected = np.mean(best) if best else np.nan
        np.testing.assert_allclose(overlaps[video], expected, rtol=1e-12)


@given(
    st.lists(st.sampled_from([np.nan, 0.0, 0.2, 0.5, 0.9]), max_size=30),
    st.integers(0, 4),
)
def test_picked_videos(values, num):
    overlaps = np.array(values, float)
    picked = pick_videos(overlaps, num)
    best, median, worst = picked.values()
    valid = sorted(value for value in values if value == value)
    every = [*best, *median, *worst]
    assert len(set(every)) == len(every) == min(3 * num, len(valid))
    assert overlaps[best].tolist() == valid[::-1][: len(best)]
    assert overlaps[worst].tolist() == valid[: len(worst)]
    assert num >= len(best) >= len(worst) >= len(median) >= len(best) - 1
    if len(valid) >= 3 * num >= 3:
        middle = sorted(overlaps[median])
        half = (len(valid) - num) // 2
        assert middle == valid[len(valid) - half - num : len(valid) - half]


@given(st.integers(1, 900), st.integers(0, 899), st.integers(1, 300))
def test_a_clip_shows_all_or_the_first_actor(num_frames, start, most):
    start = min(start, num_frames - 1)
    actors = [Tube(0, 0, s, np.zeros((1, 4))) for s in (num_frames - 1, start)]
    window = clip_window(num_frames, actors, most)
    assert len(window) == min(num_frames, most)
    assert 0 <= window.start and window.stop <= num_frames and start in window
    assert clip_window(num_frames, [], most).start == 0
