"""Any convention against the literal loops, on sets made to be awkward."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.boxes import inclusive_to_half_open
from ssvad.evaluation.conventions import CHOICES, PRESETS, Convention
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.error_analysis import KINDS, classify_errors
from ssvad.evaluation.frame_ap import frame_ap
from ssvad.evaluation.tube_linking import link_members
from ssvad.evaluation.tubes import Tube, tube_iou
from ssvad.evaluation.video_ap import video_ap
from tests.evaluation import oracle_standard as literal

NUM_CLASSES = 3
THRS = [0.2, 0.5, 0.6]
conventions = st.sampled_from(list(PRESETS.values())) | st.builds(
    Convention,
    min_shared_frames=st.integers(1, 3),
    tube_nms=st.none() | st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    tube_recall_eps=st.sampled_from([0.0, 1e-5]),
    **{name: st.sampled_from(choices) for name, choices in CHOICES.items()},
)

# few places, sizes and scores, so that boxes coincide and scores tie
side = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda s: (s[0], sum(s)))
box = st.tuples(side, side).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))
score = st.integers(0, 3)
boxes = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 2), box, score)
# either at rest, which gives exact ties of means, or leaping about
path = st.tuples(box, st.integers(1, 6)).map(lambda s: [s[0]] * s[1]) | st.lists(
    box, min_size=1, max_size=6
)
tubes = st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 4), path, score)


def as_tubes(rows):
    return [
        Tube(video, label, start, inclusive_to_half_open(path), float(score))
        for video, label, start, path, score in rows
    ]


def as_boxes(rows):
    return boxes_of_tubes(as_tubes([(v, c, f, [b], s) for v, f, c, b, s in rows]))


def assert_frames_agree(gt, det, convention):
    found = frame_ap(as_boxes(gt), as_boxes(det), NUM_CLASSES, THRS, convention)
    wanted = [literal.frame_ap(gt, det, NUM_CLASSES, t, convention) for t in THRS]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def assert_videos_agree(gt, det, convention):
    found = video_ap(as_tubes(gt), as_tubes(det), NUM_CLASSES, THRS, convention)
    wanted = [literal.video_ap(gt, det, NUM_CLASSES, t, convention) for t in THRS]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@settings(max_examples=150)
@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=14), conventions)
def test_frame_ap(gt, det, convention):
    assert_frames_agree(gt, det, convention)


@settings(max_examples=150)
@given(st.lists(tubes, max_size=6), st.lists(tubes, max_size=10), conventions)
def test_video_ap(gt, det, convention):
    assert_videos_agree(gt, det, convention)


@settings(max_examples=150)
@given(tubes, tubes, conventions)
def test_tube_iou_to_the_last_bit(a, b, convention):
    found = tube_iou(*as_tubes([a, b]), convention)
    assert found == literal.tube_iou(a, b, convention)


@settings(max_examples=100)
@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=14), conventions)
def test_errors(gt, det, convention):
    labels, kinds = classify_errors(
        as_boxes(gt), as_boxes(det), NUM_CLASSES, 0.5, convention
    )
    names = [('right', *KINDS)[kind + 1] for kind in kinds]
    # a class at a time; equal scores keep their order in both
    found = sorted(zip(labels.tolist(), names), key=lambda pair: pair[0])
    wanted = literal.errors(gt, det, 0.5, convention)
    assert found == sorted(wanted, key=lambda pair: pair[0])


@settings(max_examples=150)
@given(
    rows=st.lists(st.tuples(st.integers(0, 8), box, score), max_size=20),
    iou_thr=st.sampled_from([0.1, 0.25, 0.5, 1.0]),
    max_gap=st.integers(1, 4),
    min_len=st.integers(1, 3),
    topk=st.integers(1, 4),
    min_score=st.integers(0, 2),
)
def test_linking(rows, **options):
    frames = [frame for frame, _, _ in rows]
    boxes = [(x1, y1, x2 + 1, y2 + 1) for _, (x1, y1, x2, y2), _ in rows]
    scores = [float(value) for *_, value in rows]
    found = link_members(frames, boxes, scores, **options)
    wanted = literal.link(frames, boxes, scores, **options)
    assert sorted(m.tolist() for m in found) == sorted(wanted)
    assert [frames[m[0]] for m in found] == sorted(frames[m[0]] for m in found)


def crowd(seed, num_videos=12, num_tubes=60):
    """A larger set: tubes on a 320 x 240 frame in quarters of a pixel."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(num_tubes):
        video, label = int(rng.integers(num_videos)), int(rng.integers(2))
        start, length = int(rng.integers(30)), int(rng.integers(1, 25))
        corner = rng.integers(0, 120, 2)
        place = np.r_[corner, corner + rng.integers(20, 100, 2)]
        path = place + np.cumsum(rng.integers(-3, 4, (length, 1)), axis=0)
        truth.append((video, label, start, path.astype(float), 0.0))
        for _ in range(rng.integers(0, 4)):
            begin, end = sorted(rng.integers(0, length + 1, 2))
            noise = rng.integers(-40, 41, (length, 4)) / 4
            cut = (path + noise)[begin:end]
            other = label if rng.random() < 0.8 else int(rng.integers(NUM_CLASSES))
            if len(cut):  # one in five scores occurs again and again
                value = float(rng.random()) if rng.random() < 0.8 else 0.5
                found.append((video, other, start + int(begin), cut, value))
    return truth, found


@pytest.mark.parametrize('name', sorted(PRESETS))
@pytest.mark.parametrize('seed', [0, 1])
def test_larger_sets(name, seed):
    truth, found = crowd(seed)
    assert_videos_agree(truth, found, PRESETS[name])
    gt, det = (
        [
            (video, start + k, label, tuple(box), value)
            for video, label, start, path, value in rows
            for k, box in enumerate(path)
        ]
        for rows in (truth, found)
    )
    assert_frames_agree(gt, det, PRESETS[name])
