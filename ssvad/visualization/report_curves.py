"""Curves of a training: a small panel for each quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .evaluation_plots import BLUE, ORANGE

COLUMNS = 4
# of the lines in a panel; never more than two networks are evaluated
STYLES = ((BLUE, '-'), (ORANGE, '--'))
FEW = 25

Curve = tuple[Sequence[float], Sequence[float]]


def plot_curves(panels: Mapping[str, Mapping[str, Curve]], xlabel: str) -> Figure:
    """Draw quantities over the course of a training.

    Panels share the horizontal axis only: losses and rates differ by orders of
    magnitude. Values that are no finite numbers leave a gap.

    Args:
        panels: title -> name of the line -> its x and y; at most two lines.
        xlabel: what x counts.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure((10.8, 0.5 + 1.75 * rows), layout='constrained')
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    for panel, (title, lines) in zip(axes.flat, panels.items()):
        panel.set_title(title, fontsize=9, loc='left', parse_math=False)
        for name, (x, y) in lines.items():
            colour, dashes = STYLES[names.index(name) % len(STYLES)]
            y = np.asarray(y, float)
            y = np.where(np.isfinite(y), y, np.nan)
            marker = 'o' if len(y) <= FEW else None
            style = dict(color=colour, linestyle=dashes, linewidth=1.4, label=name)
            panel.plot(x, y, marker=marker, markersize=3, **style)
        panel.grid(color='#e8e8e8')
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=7.5)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panel.spines[['top', 'right']].set_visible(False)
    for panel in axes.flat[len(panels) - columns : len(panels)]:
        panel.tick_params(labelbottom=True)
    for panel in axes.flat[len(panels) :]:
        panel.set_axis_off()
    if len(names) > 1:
        handles = {line.get_label(): line for p in axes.flat for line in p.lines}
        figure.legend(
            [handles[name] for name in names],
            names,
            loc='outside upper right',
            ncols=len(names),
            fontsize=9,
            frameon=False,
        )
    figure.supxlabel(xlabel, fontsize=9)
    return figure
