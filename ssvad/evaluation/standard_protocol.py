"""The standard protocol: average precision of boxes and tubes of any detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Callable

import numpy as np

from .average_precision import mean_over_present
from .conventions import Convention, get_convention
from .detections import boxes_of_tubes
from .error_analysis import ERROR_TYPES, error_analysis
from .frame_ap import FrameBoxes, frame_ap
from .report import ProtocolReport
from .thresholds import Threshold, mean_per_threshold, named_thresholds
from .tubes import Tube
from .video_ap import video_ap

NOTE = (
    'Standard protocol: average precision over detections ranked by score; wrong '
    'classes and detections without ground truth are errors.'
)
FRAME_THRS = (0.2, 0.5)
VIDEO_THRS = (0.2, 0.5, 0.75, (0.5, 0.95, 0.05))


def evaluate_detections(
    truth: Sequence[Tube],
    detections: FrameBoxes | None = None,
    preset: str | Convention = 'act',
    *,
    classes: Sequence[str],
    tubes: Sequence[Tube] | None = None,
    frame_thrs: Sequence[Threshold] = FRAME_THRS,
    video_thrs: Sequence[Threshold] = VIDEO_THRS,
    error_thr: float | None = 0.5,
    overrides: Mapping = {},
) -> dict:
    """Frame-mAP, video-mAP and error analysis by one convention.

    Args:
        truth: annotated tubes of all videos; their boxes are frame-AP's ground truth.
        detections: detected boxes; None leaves the frame part out.
        preset: name of a convention, or one.
        classes: K names.
        tubes: detected tubes, their length already limited; None leaves the video part
            out.
        frame_thrs: IoU thresholds of frame-mAP, see `named_thresholds`.
        video_thrs: tube IoU thresholds of video-mAP.
        error_thr: IoU of the error analysis; None leaves it out.
        overrides: fields of the convention to change.

    Returns:
        `note`, `metrics` (key -> percent, never NaN), `facts` and `per_class` (column
        -> K cells, NaN for a class without ground truth): the fields of a
        `ProtocolReport`.

    Raises:
        ValueError: for an unknown convention or threshold, a label that is no index
            into the classes, or boxes, scores or frames that are no numbers.
    """
    convention = get_convention(preset, **overrides)
    num, gt_boxes = len(classes), boxes_of_tubes(truth)
    check_boxes(gt_boxes, num, 'ground truth')
    shown = {(tube.video, tube.label) for tube in truth}
    counts = {
        'videos': [label for _, label in shown],
        'tubes': [tube.label for tube in truth],
        'boxes': gt_boxes.label,
    }
    percent, errors = {}, {}
    if detections is not None:
        check_boxes(detections, num, 'detections')
        counts['detected boxes'] = detections.label

        def judge_boxes(grid: np.ndarray) -> np.ndarray:
            return frame_ap(gt_boxes, detections, num, grid, convention)

        found = _at_thresholds(frame_thrs, judge_boxes, convention.frame_empty)
        percent.update({f'frame_mAP@{name}': column for name, column in found.items()})
    if tubes is not None:
        check_boxes(boxes_of_tubes(tubes), num, 'detected tubes')
        counts['detected tubes'] = [tube.label for tube in tubes]

        def judge_tubes(grid: np.ndarray) -> np.ndarray:
            return video_ap(truth, tubes, num, grid, convention)

        found = _at_thresholds(video_thrs, judge_tubes, convention.tube_empty)
        percent.update({f'video_mAP@{name}': column for name, column in found.items()})
    if detections is not None and error_thr is not None:
        errors = error_analysis(gt_boxes, detections, num, error_thr, convention)
    counts = {
        k: np.bincount(np.array(v, int), minlength=num) for k, v in counts.items()
    }
    facts = {
        'convention': str(convention),
        'annotation policy': 'every actor is a tube of its own',
        **{k: int(v.sum()) for k, v in counts.items() if k != 'videos'},
        f'classes without ground truth, {_treatment(convention)}': [
            name for name, count in zip(classes, counts['tubes']) if not count
        ],
    }
    if errors:
        shares = [(k, mean_over_present(errors[k])) for k in ('AP', *ERROR_TYPES)]
        facts[f'errors at IoU {error_thr:.2f}, sum 100'] = ', '.join(
            f'{name} {share:.2f}' for name, share in shares
        )
        percent.update({f'frame_err_{name}': errors[name] for name in ERROR_TYPES})
    metrics = {key: mean_over_present(column) for key, column in percent.items()}
    plain = {k: v for k, v in errors.items() if k.startswith('num_')}
    if errors:
        plain[f'frame_recall@{error_thr:.2f}'] = 100 - errors['missed']
    table = {k: v.tolist() for k, v in {**counts, **percent, **plain}.items()}
    table = {'class': list(classes), **table}
    return ProtocolReport(NOTE, metrics, facts, table)._asdict()


def check_boxes(found: FrameBoxes, num_classes: int, name: str) -> None:
    """Refuse what no evaluator can rank or measure.

    Args:
        found: boxes.
        num_classes: K.
        name: what an error calls the boxes.

    Raises:
        ValueError: with the index of the first wrong box.
    """
    boxes, label = np.asarray(found.boxes), np.asarray(found.label)
    for bad, what, values in (
        ((label < 0) | (label >= num_classes), f'label below {num_classes}', label),
        (~np.isfinite(boxes).all(axis=1), 'finite corners', boxes),
        ((boxes[:, 2:] <= boxes[:, :2]).any(axis=1), 'x1 < x2 and y1 < y2', boxes),
        (~np.isfinite(found.scores), 'finite score', found.scores),
        (np.asarray(found.frame) < 0, 'frame from 0 on', found.frame),
        (np.asarray(found.video) < 0, 'video from 0 on', found.video),
    ):
        if bad.any():
            index = int(np.argmax(bad))
            raise ValueError(
                f'{name}: expected {what}, got {np.asarray(values)[index]} at box '
                f'{index} (video {found.video[index]}, frame {found.frame[index]})'
            )


def _treatment(convention: Convention) -> str:
    kinds = {'frame': convention.frame_empty, 'video': convention.tube_empty}
    if set(kinds.values()) == {'skip'}:
        return 'left out of the means'
    zero = [f'{name}-mAP' for name, kind in kinds.items() if kind == 'zero']
    return f'counted as 0 in {" and ".join(zero)}'


def _at_thresholds(
    thrs: Sequence[Threshold],
    judge: Callable[[np.ndarray], np.ndarray],
    empty: str,
) -> dict[str, np.ndarray]:
    """Judge once at all thresholds: name -> (K,) percent."""
    named = named_thresholds(thrs)
    grid = np.unique(np.concatenate([np.zeros(0), *named.values()]))
    per_class = judge(grid)
    if empty == 'zero':
        per_class = np.nan_to_num(per_class)
    return mean_per_threshold(named, grid, per_class)
