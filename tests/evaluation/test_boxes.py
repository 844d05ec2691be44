import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssvad.evaluation.boxes import as_measured, box_iou, inclusive_to_half_open
from tests.evaluation.oracles import inclusive_iou

spans = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)
inclusive_boxes = st.tuples(spans, spans).map(
    lambda s: (s[0][0], s[1][0], s[0][1], s[1][1])
)


@given(inclusive_boxes, inclusive_boxes)
def test_iou_after_conversion_is_the_inclusive_iou(a, b):
    halves = inclusive_to_half_open(np.array([a, b]))
    assert box_iou(halves[0], halves[1]) == inclusive_iou(a, b)


@given(inclusive_boxes, inclusive_boxes)
def test_iou_counts_pixels(a, b):
    canvas = np.zeros((2, 32, 32), bool)
    for mask, (x1, y1, x2, y2) in zip(canvas, (a, b)):
        mask[y1:y2, x1:x2] = True
    union = (canvas[0] | canvas[1]).sum()
    expected = (canvas[0] & canvas[1]).sum() / union if union else 0
    assert box_iou(np.array(a), np.array(b)) == expected


def test_iou_broadcasts_over_leading_axes():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    expected = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(box_iou(boxes[:, None], boxes), expected)


def test_exclusive_pixels_take_away_the_last_row_and_column():
    boxes = np.array([[2, 3, 12, 8], [0, 0, 0.5, 20.0]])
    assert as_measured(boxes, 'inclusive').tolist() == boxes.tolist()
    measured = as_measured(boxes, 'exclusive')
    assert measured.tolist() == [[2, 3, 11, 7], [0, 0, 0, 19]]
    # what is below a pixel is empty, not of negative size
    assert box_iou(measured[1], measured[1]) == 0
