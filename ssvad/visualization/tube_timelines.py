"""When actors act and when a detector says so: bars over the frames of videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..evaluation.conventions import PRESETS, Convention
from ..evaluation.matching import pairs_with_equal_key
from ..evaluation.tubes import Tube, tube_ious
from .evaluation_plots import BLUE, ORANGE, write_head

BLACK = '#303030'


def spread_videos(
    truth: Sequence[Tube], tubes: Sequence[Tube], num: int = 6
) -> list[int]:
    """Choose at most ``num`` videos, evenly over those that have any tube.

    Returns:
        Indices of videos, ascending.
    """
    seen = sorted({tube.video for tube in [*truth, *tubes]})
    picked = np.linspace(0, len(seen) - 1, min(num, len(seen)))
    return [seen[round(i)] for i in picked.tolist()]


def best_overlaps(
    truth: Sequence[Tube],
    tubes: Sequence[Tube],
    convention: Convention = PRESETS['act'],
) -> np.ndarray:
    """Best tube IoU of each detection with the truth of its class in its video.

    Returns:
        (N,) float64 in [0, 1]; 0 where the video does not show the class.
    """
    videos = 1 + max((tube.video for tube in [*truth, *tubes]), default=0)
    i, j = pairs_with_equal_key(
        *(
            np.array([tube.label * videos + tube.video for tube in part], np.int64)
            for part in (tubes, truth)
        )
    )
    best = np.zeros(len(tubes))
    np.maximum.at(best, i, tube_ious(tubes, truth, i, j, convention))
    # no shared frame gives a negative zero, which would be printed as one
    return best + 0.0


def plot_timelines(
    videos: Sequence[int],
    names: Sequence[str],
    num_frames: Sequence[int],
    classes: Sequence[str],
    truth: Sequence[Tube],
    tubes: Sequence[Tube],
    title: str,
    convention: Convention = PRESETS['act'],
    iou_thr: float = 0.5,
    max_bars: int = 8,
) -> Figure:
    """A panel per video: annotated tubes, below them the detected ones, best first.

    Blue are detections that overlap a tube of their class enough, orange the others. A
    second detection of the same actor is blue too.

    Args:
        videos: indices of the videos to draw, at least one.
        names: ids of all videos.
        num_frames: of all videos.
        classes: K names.
        truth: annotated tubes of all videos.
        tubes: detected tubes of all videos, already suppressed.
        title: of the figure; says the protocol.
        convention: how tubes are measured.
        iou_thr: tube IoU from which on a bar is blue.
        max_bars: of the truth and of the detections of a video; the best are kept and
            the panel says of how many.
    """
    drawn = [_of_video(v, truth, tubes, convention, max_bars) for v in videos]
    lines = [1.6 + len(shown) + len(found) for shown, found, _ in drawn]
    figure = Figure((10.5, 1.0 + 0.27 * sum(lines)), layout='constrained')
    panels = figure.subplots(len(videos), height_ratios=lines, squeeze=False)[:, 0]
    for panel, video, (shown, found, counts) in zip(panels, videos, drawn):
        rows = [(tube, f'truth  {classes[tube.label]}', BLACK) for tube in shown]
        rows += [
            (
                tube,
                f'{classes[tube.label]}  score {tube.score:.2f}  IoU {iou:.2f}',
                BLUE if iou >= iou_thr else ORANGE,
            )
            for tube, iou in found
        ]
        _draw_rows(panel, rows, num_frames[video])
        note = ', '.join(
            f'{kept} of {total} {what}'
            for kept, total, what in zip(
                (len(shown), len(found)), counts, ('annotated', 'detected')
            )
        )
        panel.set_title(
            f'{names[video]}   ({note} tubes)', fontsize=9, loc='left', parse_math=False
        )
        if shown and found:
            panel.axhline(len(shown) - 0.5, color='grey', linewidth=0.8)
    panels[-1].set_xlabel('frame, counted from 0')
    entries = (
        ('annotated', BLACK),
        (f'detected, tube IoU with its class at least {iou_thr:.2f}', BLUE),
        ('detected, below', ORANGE),
    )
    write_head(figure, title, entries)
    return figure


def _of_video(
    video: int,
    truth: Sequence[Tube],
    tubes: Sequence[Tube],
    convention: Convention,
    max_bars: int,
) -> tuple[list, list, tuple[int, int]]:
    """Annotated tubes, (detected tube, best IoU) pairs, and how many there were."""
    shown = [tube for tube in truth if tube.video == video]
    found = [tube for tube in tubes if tube.video == video]
    overlaps = best_overlaps(shown, found, convention).tolist()
    pairs = sorted(zip(found, overlaps), key=lambda pair: -pair[0].score)
    counts = len(shown), len(pairs)
    shown = sorted(shown, key=lambda tube: (tube.start, tube.label))
    return shown[:max_bars], pairs[:max_bars], counts


def _draw_rows(
    panel: Axes, rows: Sequence[tuple[Tube, str, str]], num_frames: int
) -> None:
    for row, (tube, _, colour) in enumerate(rows):
        panel.barh(row, len(tube.boxes), 0.7, left=tube.start, color=colour)
    texts = [text for _, text, _ in rows]
    panel.set_yticks(range(len(rows)), texts, fontsize=8, parse_math=False)
    panel.set(xlim=(0, num_frames), ylim=(len(rows) - 0.4, -0.6))
    panel.tick_params(labelsize=8)
    panel.grid(axis='x', color='#e8e8e8')
    panel.set_axisbelow(True)
