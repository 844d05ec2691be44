"""How far perfect masks get: the ceilings that docs/evaluation_full_frame.md names."""

import pickle

import numpy as np
import pytest

from ssvad.evaluation.boxes import inclusive_to_half_open
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.tubes import Tube
from tests.evaluation import golden
from tests.evaluation.ceilings import (
    CENTRE,
    WHOLE,
    boxes_of_perfect_masks,
    clipped,
    components_of_boxes,
    frame_map,
    one_box_per_frame,
)
from tests.helpers import UCF24_MINI

ANNOTATION = UCF24_MINI / 'pyannot.pkl'


def public_truth(every=1):
    """The 60 videos, 0-based and half-open as the package keeps boxes."""
    truth = golden.gt_boxes()
    truth = truth.take(np.flatnonzero(truth.frame % every == 0))
    return truth._replace(boxes=truth.boxes - 1)


def in_one_order(found):
    rows = np.column_stack([found.video, found.frame, found.boxes, found.label])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize('window', [WHOLE, CENTRE])
def test_perfect_masks_give_the_components_of_the_annotated_boxes(window):
    truth = public_truth(every=8)
    found = boxes_of_perfect_masks(truth, window)
    expected = components_of_boxes(truth, window)
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), atol=1e-9)
    assert (found.scores == 1).all()


def test_squeezed_frames_lose_less_than_the_crop():
    truth = public_truth(every=8)
    squeezed = boxes_of_perfect_masks(truth, WHOLE, size=(224, 224))
    assert len(squeezed.label) == len(components_of_boxes(truth, WHOLE).label)
    values = [
        frame_map(truth, found)
        for found in (
            components_of_boxes(truth, CENTRE),
            squeezed,
            components_of_boxes(truth, WHOLE),
        )
    ]
    assert values[0] + 5 < values[1] <= values[2] + 0.2


def test_ceilings_of_the_public_videos():
    truth = public_truth()
    found = {
        'clipped': clipped(truth, CENTRE),
        'whole': components_of_boxes(truth, WHOLE),
        'crop': components_of_boxes(truth, CENTRE),
        'one box': one_box_per_frame(truth),
    }
    ceilings = {name: frame_map(truth, boxes) for name, boxes in found.items()}
    expected = {'clipped': 92.4, 'whole': 89.7, 'crop': 82.7, 'one box': 82.4}
    assert ceilings == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize(
    ('corner', 'num'), [((61, 10), 3), ((60, 10), 2), ((60, 60), 2), ((61, 61), 3)]
)
def test_actors_merge_when_they_touch(corner, num):
    x, y = corner
    boxes = [[10, 10, 60, 60], [x, y, x + 30, y + 40], [10, 150, 50, 199]]
    truth = boxes_of_tubes([Tube(0, 3, 5, np.array([box], float)) for box in boxes])
    assert len(boxes_of_perfect_masks(truth).label) == num
    assert len(components_of_boxes(truth, WHOLE).label) == num


def whole_test_split():
    """All annotated boxes of split 1, corners as the annotation has them."""
    with open(ANNOTATION, 'rb') as file:
        annotation = pickle.load(file, encoding='latin1')
    names = (UCF24_MINI / 'testlist01.txt').read_text().split()
    tubes = []
    for video, name in enumerate(n for n in names if '/' in n):
        for tube in annotation[name.rsplit('.', 1)[0]]['annotations']:
            x, y, w, h = np.asarray(tube['boxes']).astype(float).T
            corners = np.stack([x, y, x + w, y + h], axis=1)
            tubes.append(Tube(video, int(tube['label']), int(tube['sf']), corners))
    return boxes_of_tubes(tubes)


@pytest.mark.slow
@pytest.mark.skipif(not ANNOTATION.is_file(), reason=f'no annotation at {ANNOTATION}')
def test_ceilings_of_the_whole_test_split():
    # masks as the released code draws them, [x, x + w); boxes measured as ACT does
    truth = whole_test_split()
    assert len(truth.label) == 170_580 and truth.video.max() == 909
    measured = truth._replace(boxes=inclusive_to_half_open(truth.boxes))

    def ceiling(found):
        boxes = inclusive_to_half_open(found.boxes)
        return frame_map(measured, found._replace(boxes=boxes))

    whole = components_of_boxes(truth, WHOLE)
    assert len(whole.label) == 147_083
    assert ceiling(whole) == pytest.approx(93.3, abs=0.06)
    assert ceiling(components_of_boxes(truth, CENTRE)) == pytest.approx(88.9, abs=0.1)
    assert ceiling(clipped(truth, CENTRE)) == pytest.approx(95.4, abs=0.2)
    assert ceiling(one_box_per_frame(truth)) == pytest.approx(86.4, abs=0.06)
