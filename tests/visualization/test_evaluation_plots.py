import warnings

import matplotlib
import numpy as np
import pytest

from ssvad.evaluation.average_precision import precision_recall
from ssvad.evaluation.error_analysis import ERROR_TYPES, error_analysis
from ssvad.evaluation.frame_ap import frame_ap, frame_hits
from ssvad.visualization.evaluation_plots import (
    ABSENT,
    ERROR_COLOURS,
    plot_class_ap,
    plot_error_types,
    plot_precision_recall,
)
from tests.evaluation import golden

CLASSES = golden.expected('videos')['classes']
# one class more than there is ground truth for
NAMES = [*CLASSES, 'Absent']
NUM = len(NAMES)
THRS = [0.2, 0.5]


def texts(panel):
    return [text.get_text() for text in panel.texts]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warnings.simplefilter('ignore', ResourceWarning)  # litter of other tests
        yield


def curves_of(thrs):
    judged = golden.gt_boxes(), golden.det_boxes(), NUM, thrs
    found, ap = frame_hits(*judged), frame_ap(*judged)
    return found, ap, plot_precision_recall(NAMES, found, thrs, ap, 'a title')


def test_curves_are_the_points_of_precision_recall():
    found, ap, figure = curves_of(THRS)
    panels = figure.axes
    assert [panel.get_title() for panel in panels[:NUM]] == NAMES
    for label in range(NUM - 1):
        assert texts(panels[label]) == [f'{100 * x:.1f}' for x in ap[:, label]]
        assert len(panels[label].lines) == len(THRS)
        for line, hits in zip(panels[label].lines, found.hits):
            of_class = hits[found.labels == label]
            points = precision_recall(of_class, found.num_gt[label])
            np.testing.assert_allclose(line.get_ydata(), 100 * points[0])
            np.testing.assert_allclose(line.get_xdata(), 100 * points[1])


def test_curves_of_one_threshold_share_a_colour():
    _, _, figure = curves_of(THRS)
    seen = [
        {panel.lines[a].get_color() for panel in figure.axes[: NUM - 1]}
        for a in range(len(THRS))
    ]
    legend = [patch.get_facecolor() for patch in figure.legends[0].get_patches()]
    assert [len(colours) for colours in seen] == [1, 1]
    assert legend == [colours.pop() for colours in seen]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ['IoU 0.20', 'IoU 0.50']


def test_a_class_without_ground_truth_has_no_curve():
    _, _, figure = curves_of(THRS)
    panel = figure.axes[NUM - 1]
    assert texts(panel) == [ABSENT] and not panel.lines
    # what is left of the grid is empty
    assert not any(spare.axison for spare in figure.axes[NUM:])


def test_many_thresholds_are_drawn_without_their_averages():
    _, _, figure = curves_of(golden.VIDEO_THRS)
    assert len(figure.axes[0].lines) == len(golden.VIDEO_THRS)
    assert not texts(figure.axes[0])
    assert 'average' not in figure.get_supxlabel()


def test_every_class_has_its_bar_of_every_metric():
    rng = np.random.default_rng(0)
    columns = {
        name: [*rng.uniform(0, 100, NUM - 1), np.nan]
        for name in ('frame_mAP@0.50', 'video_mAP@0.50')
    }
    figure = plot_class_ap(NAMES, columns, 'a title')
    assert len(figure.axes) == 2
    for panel, (name, cells) in zip(figure.axes, columns.items()):
        widths = [bar.get_width() for bar in panel.patches]
        np.testing.assert_allclose(widths, np.nan_to_num(cells))
        mean = np.mean(cells[:-1])
        assert panel.get_title() == f'{name}\nmean {mean:.2f}'
        np.testing.assert_allclose(panel.lines[0].get_xdata(), mean)
        wanted = [*(f'{cell:.1f}' for cell in cells[:-1]), ABSENT]
        assert texts(panel) == wanted
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == NAMES


def test_bars_of_errors_are_the_error_analysis():
    shares = error_analysis(golden.gt_boxes(), golden.det_boxes(), NUM, 0.5)
    figure = plot_error_types(NAMES, shares, 'a title')
    (panel,) = figure.axes
    assert [bars.get_label() for bars in panel.containers] == ['AP', *ERROR_TYPES]
    right_edge = np.zeros(NUM + 1)
    for bars in panel.containers:
        share = shares[bars.get_label()]
        drawn = np.array([bar.get_width() for bar in bars])
        np.testing.assert_allclose(drawn[0], np.nanmean(share))
        np.testing.assert_allclose(drawn[1:], np.nan_to_num(share))
        np.testing.assert_allclose([bar.get_x() for bar in bars], right_edge)
        right_edge += drawn
    np.testing.assert_allclose(right_edge, [100.0] * NUM + [0.0])
    assert texts(panel)[-1] == ABSENT
    assert panel.texts[-1].get_position()[1] == NUM


def test_colours_of_errors_differ():
    colours = [matplotlib.colors.to_rgb(c) for c in ERROR_COLOURS.values()]
    apart = np.abs(np.subtract.outer(colours, colours)).max(axis=(1, 3))
    assert apart[~np.eye(len(colours), dtype=bool)].min() > 0.2
