import numpy as np
import pytest
from matplotlib.colors import to_hex

from ssvad.evaluation.tubes import Tube, tube_iou
from ssvad.visualization.evaluation_plots import BLUE, ORANGE
from ssvad.visualization.tube_timelines import (
    BLACK,
    best_overlaps,
    plot_timelines,
    spread_videos,
)
from tests.evaluation import golden

NAMES = ['first', 'second', 'third']
CLASSES = ['jump', 'run']


def tube(video, label, start, length, score=0.0):
    return Tube(video, label, start, np.tile([10.0, 10, 50, 50], (length, 1)), score)


TRUTH = [tube(0, 0, 5, 20), tube(0, 1, 0, 4), tube(2, 1, 0, 10)]
TUBES = [tube(0, 0, 40, 5, 0.25), tube(0, 0, 5, 18, 0.75), tube(0, 1, 5, 20, 0.5)]


def plot(videos=(0, 2), **options):
    frames = [50, 30, 10]
    return plot_timelines(videos, NAMES, frames, CLASSES, TRUTH, TUBES, 't', **options)


def rows(panel):
    """(text, first frame, length, colour) from top to bottom."""
    names = [label.get_text() for label in panel.get_yticklabels()]
    drawn = [
        (bar.get_y(), bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor()))
        for bar in panel.patches
    ]
    assert drawn == sorted(drawn) and panel.yaxis_inverted()
    return [(name, *bar[1:]) for name, bar in zip(names, drawn)]


def test_detections_are_below_the_truth_best_first():
    figure = plot()
    assert rows(figure.axes[0]) == [
        ('truth  run', 0, 4, BLACK),
        ('truth  jump', 5, 20, BLACK),
        ('jump  score 0.75  IoU 0.90', 5, 18, BLUE),
        ('run  score 0.50  IoU 0.00', 5, 20, ORANGE),
        ('jump  score 0.25  IoU 0.00', 40, 5, ORANGE),
    ]
    assert rows(figure.axes[1]) == [('truth  run', 0, 10, BLACK)]
    assert [panel.get_xlim() for panel in figure.axes] == [(0, 50), (0, 10)]


def test_the_threshold_colours():
    assert rows(plot(iou_thr=0.95).axes[0])[2][-1] == ORANGE


def test_bars_left_out_are_counted():
    panel = plot(max_bars=1).axes[0]
    assert [row[0] for row in rows(panel)] == [
        'truth  run',
        'jump  score 0.75  IoU 0.90',
    ]
    title = panel.get_title(loc='left')
    assert title == 'first   (1 of 2 annotated, 1 of 3 detected tubes)'


@pytest.mark.parametrize(
    'num, expected', [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (20, list(range(10)))]
)
def test_videos_are_spread_evenly(num, expected):
    tubes = [tube(video, 0, 0, 1) for video in range(10)]
    assert spread_videos(tubes[::2], tubes[1::2], num) == expected


def test_no_tubes_no_videos():
    assert spread_videos([], []) == []


def test_best_overlap_is_the_largest_of_the_same_class_and_video():
    truth, tubes = golden.gt_tubes(), golden.det_tubes()
    best = [
        max(
            (
                tube_iou(one, other)
                for other in truth
                if (one.video, one.label) == (other.video, other.label)
            ),
            default=0.0,
        )
        for one in tubes
    ]
    found = best_overlaps(truth, tubes)
    np.testing.assert_allclose(found, best)
    # '-0.00' in a picture would look like a bug
    assert not np.signbit(found).any()
