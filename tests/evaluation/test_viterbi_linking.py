from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.viterbi_linking import link_whole_video

box = st.tuples(st.integers(0, 6), st.floats(0.01, 1)).map(
    lambda b: ((b[0], 0, b[0] + 11, 11), b[1])
)


def overlap(a, b):
    inter = max(min(a[2], b[2]) - max(a[0], b[0]) - 1, 0) * 10
    return inter / (200 - inter)


def worth(path):
    return sum(
        overlap(a, b) + s + t + s * t / 2 for (a, s), (b, t) in zip(path, path[1:])
    )


@settings(max_examples=60)
@given(st.lists(st.lists(box, min_size=1, max_size=3), min_size=2, max_size=4))
def test_first_track_is_the_best_of_all_paths(frames):
    boxes = [found for frame in frames for found in frame]
    number = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    tracks = link_whole_video(
        number,
        np.array([b for b, _ in boxes], float),
        np.array([s for _, s in boxes]),
        len(frames),
    )
    best = max(product(*frames), key=worth)
    found = [
        next(one for one in frame if one[0] == tuple(row) and one in frame)
        for frame, row in zip(frames, tracks[0].boxes)
    ]
    assert worth(best) >= worth(found) - 1e-9
    assert len(tracks) <= min(3, min(map(len, frames)))
    assert all(track.start == 0 and len(track.boxes) == len(frames) for track in tracks)
    mean = np.mean([score for _, score in best])
    ties = [p for p in product(*frames) if worth(p) >= worth(best) - 1e-9]
    if len(ties) == 1:
        assert tracks[0].score == pytest.approx(mean)


def test_frames_without_a_box_borrow_the_nearest():
    boxes = np.array([[0, 0, 10, 10], [50, 0, 60, 10.0]])
    (track,) = link_whole_video(np.array([1, 4]), boxes, np.array([0.2, 0.6]), 7)
    assert track.boxes[:, 0].tolist() == [0, 0, 0, 50, 50, 50, 50]
    assert track.score == pytest.approx((3 * 0.2 + 4 * 0.6) / 7)
    # two frames away on both sides: the earlier one lends
    (track,) = link_whole_video(np.array([0, 4]), boxes, np.array([0.2, 0.6]), 5)
    assert track.boxes[:, 0].tolist() == [0, 0, 0, 50, 50]


def test_no_boxes_no_tracks():
    none = np.zeros(0)
    assert link_whole_video(none, np.zeros((0, 4)), none, 5) == []
