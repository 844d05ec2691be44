import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.boxes import inclusive_to_half_open
from ssvad.evaluation.detections import concatenate_boxes
from ssvad.evaluation.frame_ap import FrameBoxes, frame_ap
from tests.evaluation import golden
from tests.evaluation.oracles import frame_ap_of_class


def test_ground_truth_as_detections_is_perfect():
    ap = frame_ap(golden.gt_boxes(), golden.gt_boxes(), golden.NUM_CLASSES, [0.5, 1.0])
    np.testing.assert_allclose(ap, 1.0, rtol=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_order_of_videos_and_boxes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    gt, det = golden.gt_boxes(), golden.det_boxes()
    new_number = rng.permutation(60)
    shuffled = [
        boxes._replace(video=new_number[boxes.video]).take(
            rng.permutation(len(boxes.video))
        )
        for boxes in (gt, det)
    ]
    np.testing.assert_array_equal(
        frame_ap(*shuffled, golden.NUM_CLASSES, [0.5]),
        frame_ap(gt, det, golden.NUM_CLASSES, [0.5]),
    )


def frame_boxes(rows):
    """Rows of (video, frame, label, inclusive box, score)."""
    video, frame, label, boxes, scores = zip(*rows) if rows else ((),) * 5
    return FrameBoxes(
        np.array(video, int),
        np.array(frame, int),
        np.array(label, int),
        inclusive_to_half_open(np.array(boxes, float).reshape(-1, 4)),
        np.array(scores, float),
    )


span = st.tuples(st.integers(0, 4), st.integers(1, 4)).map(lambda s: (s[0], sum(s)))
box = st.tuples(span, span).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))
row = st.tuples(
    st.integers(0, 1), st.integers(0, 2), st.integers(0, 1), box, st.integers(0, 9)
)


@given(st.lists(row, max_size=8), st.lists(row, max_size=12))
def test_equals_the_literal_loop(gt, det):
    ap = frame_ap(frame_boxes(gt), frame_boxes(det), 2, [0.2, 0.5])
    for label in range(2):
        of_class = [[r for r in rows if r[2] == label] for rows in (gt, det)]
        if not of_class[0]:
            assert np.isnan(ap[:, label]).all()
            continue
        truth = [(v, f, b) for v, f, _, b, _ in of_class[0]]
        found = [(v, f, b, s) for v, f, _, b, s in of_class[1]]
        for thr, value in zip([0.2, 0.5], ap[:, label]):
            assert value == pytest.approx(frame_ap_of_class(truth, found, thr))


@given(st.lists(row, min_size=1, max_size=8), st.lists(row, max_size=12), row)
def test_a_false_positive_never_raises_ap(gt, det, extra):
    far = frame_boxes([(extra[0], extra[1], extra[2], (90, 90, 95, 95), extra[4])])
    gt, det = frame_boxes(gt), frame_boxes(det)
    before = frame_ap(gt, det, 2, [0.5])
    after = frame_ap(gt, concatenate_boxes([det, far]), 2, [0.5])
    assert np.nanmin(before - after) >= -1e-12
