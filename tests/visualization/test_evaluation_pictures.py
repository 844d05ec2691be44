import warnings

import numpy as np
import pytest

from ssvad.evaluation.conventions import get_convention
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.standard_protocol import evaluate_detections
from ssvad.evaluation.tubes import Tube
from ssvad.visualization import evaluation_pictures
from ssvad.visualization.evaluation_pictures import write_pictures

THRS = dict(frame_thrs=(0.5, (0.5, 0.95, 0.05)), video_thrs=(0.2,))
# no formula, though it could be read as a malformed one
NAME = '$jump_{$'
TUBE = Tube(0, 0, 2, np.tile([10.0, 10, 50, 50], (6, 1)), 0.5)


def draw(folder, truth, tubes, convention='act'):
    convention = get_convention(convention)
    given = dict(classes=[NAME], tubes=tubes, **THRS)
    boxes = boxes_of_tubes(tubes)
    result = evaluate_detections(truth, boxes, convention, **given)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return write_pictures(
            *(folder, truth, boxes, convention),
            names=[NAME],
            num_frames=[9],
            per_class=result['per_class'],
            **given,
        )


@pytest.fixture
def figures(monkeypatch):
    """What is written, by name."""
    caught = {}
    monkeypatch.setattr(
        *(evaluation_pictures, 'save'),
        lambda path, figure: caught.setdefault(path.stem, figure) and path,
    )
    return caught


@pytest.mark.parametrize('truth, tubes', [([TUBE], []), ([], [TUBE]), ([TUBE], [TUBE])])
def test_nothing_found_or_nothing_to_find(truth, tubes, tmp_path):
    files = draw(tmp_path, truth, tubes)
    assert len(files) == 5 and sorted(files) == sorted(tmp_path.iterdir())
    assert all(file.read_bytes().startswith(b'\x89PNG') for file in files)


def test_neither_truth_nor_detections(tmp_path):
    assert 'timelines' not in {file.stem for file in draw(tmp_path, [], [])}


@pytest.mark.parametrize('preset', ['act', 'yowo'])
def test_the_average_above_a_curve_is_the_convention_s(preset, figures):
    # wrong, then right: both kinds of averages differ
    wrong = TUBE._replace(boxes=TUBE.boxes + 100, score=0.9)
    draw('', [TUBE], [TUBE, wrong], preset)
    panel = figures['precision_recall_frame'].axes[0]
    result = evaluate_detections(
        *([TUBE], boxes_of_tubes([TUBE, wrong]), preset), classes=['jump'], **THRS
    )
    (above,) = panel.texts
    assert above.get_text() == f'{result["metrics"]["frame_mAP@0.50"]:.1f}'


@pytest.mark.parametrize('tube_nms, bars', [(0.3, 2), (None, 3)])
def test_timelines_show_what_suppression_keeps(tube_nms, bars, figures):
    tubes = [TUBE, TUBE._replace(score=0.4)]
    draw('', [TUBE], tubes, get_convention('act', tube_nms=tube_nms))
    assert len(figures['timelines'].axes[0].patches) == bars


def test_titles_name_the_convention_and_the_overlap(figures):
    draw('', [TUBE], [TUBE], get_convention('yowo', frames='all'))
    titles = {
        name: figure.legends[0].get_title().get_text()
        if figure.legends
        else figure.get_suptitle()
        for name, figure in figures.items()
    }
    assert all("convention 'yowo, changed'" in title for title in titles.values())
    assert 'IoU 0.50' in titles['errors']
