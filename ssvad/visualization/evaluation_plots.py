"""Charts of the standard protocol: precision over recall, AP and errors by class.

Figures are made without pyplot, so nothing of a user's own plots is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..evaluation.average_precision import mean_over_present, precision_recall
from ..evaluation.error_analysis import ERROR_TYPES
from ..evaluation.frame_ap import RankedHits

# colours of Okabe and Ito, told apart by colour-blind readers as well
BLUE, ORANGE, GREY = '#0072b2', '#e69f00', '#d0d0d0'
ERROR_COLOURS = dict(
    zip(
        ('AP', *ERROR_TYPES),
        (BLUE, ORANGE, '#f0e442', '#d55e00', '#009e73', '#cc79a7', GREY),
    )
)
ABSENT = 'no ground truth'
ROW, HEAD, COLUMNS, MAX_WRITTEN = 0.24, 1.3, 6, 4


def plot_precision_recall(
    classes: Sequence[str],
    found: RankedHits,
    thrs: Sequence[float],
    ap: np.ndarray,
    title: str,
) -> Figure:
    """One panel per class, one curve per threshold: the raw points, joined by lines.

    Args:
        classes: K names.
        found: ranked detections, judged at A thresholds.
        thrs: the A thresholds.
        ap: (A, K) in [0, 1], written above the panels unless there are too many
            thresholds; NaN without ground truth.
        title: of the figure; says the protocol.
    """
    columns = min(COLUMNS, len(classes))
    rows = -(-len(classes) // columns)
    size = (max(6.0, 2.1 * columns), 2.0 * rows + HEAD)
    figure = Figure(size, layout='constrained')
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    colours = _shades(len(thrs))
    written = len(thrs) <= MAX_WRITTEN
    for label, name in enumerate(classes):
        panel = panels.flat[label]
        panel.set_title(name, fontsize=9, pad=16, parse_math=False)
        panel.grid(color='#e8e8e8')
        if not found.num_gt[label]:
            panel.text(50, 50, ABSENT, color='grey', fontsize=8, ha='center')
            continue
        for a, colour in enumerate(colours):
            hits = found.hits[a][found.labels == label]
            precision, recall = precision_recall(hits, found.num_gt[label])
            # a curve under an equal one stays visible on both sides of it
            width = np.interp(a, (0, len(thrs)), (2.8, 1.0))
            panel.plot(100 * recall, 100 * precision, color=colour, linewidth=width)
        for a, colour in enumerate(colours if written else ()):
            panel.annotate(
                f'{100 * ap[a, label]:.1f}',
                ((a + 0.5) / len(thrs), 1),
                xycoords='axes fraction',
                xytext=(0, 4),
                textcoords='offset points',
                ha='center',
                color=colour,
                fontsize=8,
                fontweight='bold',
            )
    ticks = (0, 25, 50, 75, 100)
    panels[0, 0].set(xlim=(-3, 103), ylim=(-3, 106), xticks=ticks, yticks=ticks)
    for panel in panels.flat[len(classes) - columns : len(classes)]:
        panel.tick_params(labelbottom=True)
    for panel in panels.flat[len(classes) :]:
        panel.set_axis_off()
    above = '; above the panels: average precision (%)' if written else ''
    figure.supxlabel(f'recall (%){above}', fontsize=10)
    figure.supylabel('precision (%)', fontsize=10)
    entries = [(f'IoU {thr:.2f}', colour) for thr, colour in zip(thrs, colours)]
    write_head(figure, title, entries)
    return figure


def plot_class_ap(
    classes: Sequence[str], columns: Mapping[str, Sequence[float]], title: str
) -> Figure:
    """Average precision per class: a panel of bars per metric, its mean as a line.

    Args:
        classes: K names.
        columns: name of the metric -> K percentages; NaN without ground truth.
        title: of the figure; says the protocol.
    """
    size = (2.0 + 1.75 * max(len(columns), 2), ROW * len(classes) + HEAD)
    figure = Figure(size, layout='constrained')
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    rows = np.arange(len(classes))
    for panel, (name, cells) in zip(panels, columns.items()):
        values = np.asarray(cells, float)
        mean = mean_over_present(values)
        colour = BLUE if name.startswith('frame') else '#009e73'
        panel.barh(rows, np.nan_to_num(values), 0.75, color=colour)
        panel.axvline(mean, color='black', linewidth=1, linestyle='--')
        for row, value in enumerate(values):
            if np.isnan(value):
                _say_absent(panel, row)
            else:
                # beside the bar, or in it where the panel would end
                inside = value > 75
                panel.text(
                    *(value + (-2 if inside else 2), row, f'{value:.1f}'),
                    color='white' if inside else 'black',
                    ha='right' if inside else 'left',
                    va='center',
                    fontsize=7,
                    bbox=dict(fc=colour if inside else 'white', ec='none', pad=0.4),
                )
        panel.set_title(f'{name}\nmean {mean:.2f}', fontsize=9)
        panel.set(xlim=(0, 100), xticks=(0, 25, 50, 75, 100))
        panel.tick_params(labelsize=8)
    _name_rows(panels[0], classes)
    figure.supxlabel('average precision (%)', fontsize=10)
    write_head(figure, title)
    return figure


def plot_error_types(
    classes: Sequence[str], shares: Mapping[str, np.ndarray], title: str
) -> Figure:
    """What keeps each class from 100: one bar per class, and one of the means.

    Args:
        classes: K names.
        shares: result of `error_analysis`: kind -> (K,) percent.
        title: of the figure; says the protocol and the IoU.
    """
    figure = Figure((10.5, ROW * (len(classes) + 1) + HEAD), layout='constrained')
    panel = figure.subplots()
    names = ['mean', *classes]
    rows = np.arange(len(names))
    left = np.zeros(len(names))
    for kind, colour in ERROR_COLOURS.items():
        share = np.r_[mean_over_present(shares[kind]), shares[kind]]
        width = np.nan_to_num(share)
        panel.barh(rows, width, 0.8, left=left, color=colour, label=kind)
        dark = kind in ('AP', 'classification', 'timing')
        for row in np.flatnonzero(width >= 4):
            panel.text(
                *(left[row] + width[row] / 2, row, f'{width[row]:.0f}'),
                color='white' if dark else 'black',
                ha='center',
                va='center',
                fontsize=7,
            )
        left += width
    for label in np.flatnonzero(np.isnan(shares['AP'])):
        _say_absent(panel, label + 1)
    panel.axhline(0.5, color='black', linewidth=0.8)
    panel.set(xlim=(0, 100))
    panel.set_xlabel('share of average precision (%)')
    _name_rows(panel, names)
    write_head(figure, title, list(ERROR_COLOURS.items()))
    return figure


def _shades(num: int) -> list:
    """Colours of ordered thresholds, none too pale for a white page."""
    return [matplotlib.colormaps['plasma'](x) for x in np.linspace(0.05, 0.75, num)]


def _name_rows(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    panel.set_ylim(len(names) - 0.4, -0.6)


def _say_absent(panel: Axes, row: int) -> None:
    behind = dict(fc='white', ec='none', pad=0.4)
    panel.text(2, row, ABSENT, color='grey', fontsize=7, va='center', bbox=behind)


def write_head(figure: Figure, title: str, entries: Sequence[tuple] = ()) -> None:
    """Put a title above a figure and, under it, what (name, colour) entries mean."""
    if not entries:
        figure.suptitle(title, fontsize=11)
        return
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in entries],
        title=title,
        title_fontsize=11,
        loc='outside upper center',
        ncols=min(len(entries), 7),
        fontsize=9,
        frameon=False,
    )
