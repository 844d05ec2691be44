import numpy as np

from ssvad.evaluation.detections import (
    boxes_of_tubes,
    classify_boxes,
    classify_tracks,
    concatenate_boxes,
    top_classes,
)
from ssvad.evaluation.mask_to_boxes import MaskBoxes
from ssvad.evaluation.tubes import Track

SCORES = np.array([0.004, 0.9, 0.3, 0.9])


def test_top_classes_are_best_first_and_high_enough():
    assert top_classes(SCORES, 5, 0.005).tolist() == [1, 3, 2]
    assert top_classes(SCORES, 1, 0.005).tolist() == [1]
    assert top_classes(np.full(3, np.nan), 5, 0.005).tolist() == []


def test_every_box_once_per_class():
    found = MaskBoxes(
        np.array([4, 7]), np.arange(8.0).reshape(2, 4), np.array([1, 0.5])
    )
    rows = classify_boxes(found, 3, SCORES, np.array([1, 2]))
    assert rows.video.tolist() == [3] * 4
    assert rows.frame.tolist() == [4, 4, 7, 7]
    assert rows.label.tolist() == [1, 2, 1, 2]
    np.testing.assert_allclose(rows.scores, [0.9, 0.3, 0.45, 0.15])
    np.testing.assert_array_equal(rows.boxes[2], found.boxes[1])


def test_tracks_become_one_tube_per_class_and_tubes_become_boxes():
    track = Track(5, np.arange(8.0).reshape(2, 4), 0.5)
    tubes = classify_tracks([track], 2, SCORES, np.array([1, 2]))
    assert [(t.video, t.label, t.start, t.score) for t in tubes] == [
        (2, 1, 5, 0.45),
        (2, 2, 5, 0.15),
    ]
    rows = boxes_of_tubes(tubes)
    assert rows.frame.tolist() == [5, 6, 5, 6]
    assert rows.label.tolist() == [1, 1, 2, 2]
    both = concatenate_boxes([rows, rows])
    np.testing.assert_array_equal(both.boxes[4:], rows.boxes)
    assert concatenate_boxes([]).boxes.shape == (0, 4)
