import numpy as np
import pytest

from ssvad.evaluation import tubes as module
from ssvad.evaluation.boxes import box_iou
from ssvad.evaluation.tubes import Track, nms_tubes, tube_iou, tube_ious
from tests.evaluation import golden


def track(start, length, x=0.0, score=0.0):
    return Track(start, np.tile([x, 0, x + 10, 10], (length, 1)), score)


def test_tubes_that_only_touch_in_time_do_not_overlap():
    assert tube_iou(track(0, 4), track(4, 4)) == 0


def test_nms_keeps_the_better_of_each_cluster_and_exact_ties():
    # the overlap of lengths 10 and 3 is exactly 0.3: not more than the threshold
    tubes = [
        track(0, 10, score=0.5),
        track(0, 3, score=0.4),
        track(0, 9, score=0.9),
        track(0, 10, x=50, score=0.1),
    ]
    kept = nms_tubes(tubes[:2] + tubes[3:], 0.3)
    assert [tube.score for tube in kept] == [0.5, 0.4, 0.1]
    assert [tube.score for tube in nms_tubes(tubes, 0.3)] == [0.9, 0.1]


def test_groups_suppress_only_themselves():
    tubes = [track(0, 10, score=score) for score in (0.3, 0.9, 0.5, 0.7)]
    kept = nms_tubes(tubes, 0.3, groups=np.array([0, 1, 1, 0]))
    assert [tube.score for tube in kept] == [0.9, 0.7]


@pytest.mark.parametrize('chunk', [1, 30, 10**6])
def test_memory_is_bounded_without_changing_anything(chunk, monkeypatch):
    gt, det = golden.gt_tubes()[:20], golden.det_tubes()[:20]
    i, j = (index.ravel() for index in np.indices((len(gt), len(det))))
    one_by_one = [tube_iou(gt[a], det[b]) for a, b in zip(i, j)]
    assert sum(value > 0 for value in one_by_one) > 20
    monkeypatch.setattr(module, 'CHUNK', chunk)
    np.testing.assert_array_equal(tube_ious(gt, det, i, j), one_by_one)


def test_overlap_equals_the_definition():
    a, b = golden.gt_tubes()[3], golden.det_tubes()[4]
    b = b._replace(start=a.start + 5, boxes=a.boxes[2:] + [1, 0, 3, 2])
    shared = range(b.start, a.start + len(a.boxes))
    ious = [box_iou(a.boxes[f - a.start], b.boxes[f - b.start]) for f in shared]
    union = b.start + len(b.boxes) - a.start
    expected = np.mean(ious) * (len(ious) / union)
    assert tube_iou(a, b) == expected


@pytest.mark.parametrize('width', range(1, 10))
def test_exact_ties_are_those_of_the_mean(width):
    # one IoU on all frames: whether the mean of n such numbers reaches it depends on
    # the order of the sum, and evaluators take np.mean
    lengths = range(1, 150)
    narrow = [Track(0, np.tile([0.0, 0, width, 10], (n, 1))) for n in lengths]
    index = np.arange(len(lengths))
    found = tube_ious([track(0, n) for n in lengths], narrow, index, index)
    expected = [np.mean(np.full(n, width / 10)) for n in lengths]
    assert found.tolist() == expected
