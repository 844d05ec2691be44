"""All pictures of an evaluation by the standard protocol, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..evaluation.average_precision import per_class_ap
from ..evaluation.conventions import Convention
from ..evaluation.detections import boxes_of_tubes
from ..evaluation.error_analysis import error_analysis
from ..evaluation.frame_ap import FrameBoxes, frame_hits
from ..evaluation.thresholds import Threshold
from ..evaluation.tubes import Tube, nms_tubes
from ..evaluation.video_ap import video_hits
from .evaluation_plots import plot_class_ap, plot_error_types, plot_precision_recall
from .tube_timelines import plot_timelines, spread_videos


def write_pictures(
    folder: str | Path,
    truth: Sequence[Tube],
    detections: FrameBoxes | None,
    convention: Convention,
    *,
    classes: Sequence[str],
    names: Sequence[str],
    num_frames: Sequence[int],
    per_class: Mapping[str, Sequence],
    tubes: Sequence[Tube] | None = None,
    frame_thrs: Sequence[Threshold] = (),
    video_thrs: Sequence[Threshold] = (),
    error_thr: float = 0.5,
) -> list[Path]:
    """Draw what `evaluate_detections` has computed.

    ``class_ap.png`` always; with boxes ``errors.png`` and
    ``precision_recall_frame.png``, with tubes ``precision_recall_video.png`` and
    ``timelines.png``. Curves are those of single thresholds, ranges have none.

    Args:
        folder: where the files go; made if it is missing.
        truth: annotated tubes of all videos.
        detections: detected boxes, or None.
        convention: how the detections were judged.
        classes: K names.
        names: ids of the videos.
        num_frames: of each video.
        per_class: the table of `evaluate_detections`.
        tubes: detected tubes, or None.
        frame_thrs: IoU thresholds of the boxes' curves.
        video_thrs: tube IoU thresholds of the tubes' curves.
        error_thr: IoU of the error analysis.

    Returns:
        The files written.
    """
    by = f"standard protocol, convention '{convention.name}'"
    figures = {}
    columns = {key: cells for key, cells in per_class.items() if '_mAP@' in key}
    if columns:
        title = f'Average precision per class, {by}'
        figures['class_ap'] = plot_class_ap(classes, columns, title)
    parts = (
        ('frame', frame_hits, frame_thrs, detections, 0.0),
        ('video', video_hits, video_thrs, tubes, convention.tube_recall_eps),
    )
    for kind, judge, thrs, found, eps in parts:
        single = [thr for thr in thrs if np.ndim(thr) == 0]
        if found is None or not single:
            continue
        gt = boxes_of_tubes(truth) if kind == 'frame' else truth
        ranked = judge(gt, found, len(classes), single, convention)
        counted = ranked.hits, ranked.labels, ranked.num_gt
        ap = per_class_ap(*counted, convention.ap, eps)
        of = 'boxes on frames' if kind == 'frame' else 'tubes'
        title = f'Precision over recall of {of}, {by}'
        figures[f'precision_recall_{kind}'] = plot_precision_recall(
            classes, ranked, single, ap, title
        )
    if detections is not None:
        shares = error_analysis(
            *(boxes_of_tubes(truth), detections, len(classes), error_thr, convention)
        )
        title = f'Errors of boxes at IoU {error_thr:.2f}, {by}'
        figures['errors'] = plot_error_types(classes, shares, title)
    if tubes is not None and (truth or tubes):
        kept = _suppress(tubes, len(classes), convention)
        figures['timelines'] = plot_timelines(
            spread_videos(truth, kept),
            *(names, num_frames, classes, truth, kept),
            f'Tubes over time, {by}',
            convention,
        )
    return [save(Path(folder) / f'{name}.png', fig) for name, fig in figures.items()]


def save(path: Path, figure: Figure) -> Path:
    """Write a figure; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={'Software': None})
    return path


def _suppress(
    tubes: Sequence[Tube], num_classes: int, convention: Convention
) -> list[Tube]:
    if convention.tube_nms is None:
        return list(tubes)
    groups = np.array([t.video * num_classes + t.label for t in tubes], np.int64)
    return nms_tubes(tubes, convention.tube_nms, convention, groups)
