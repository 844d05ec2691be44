"""Examples of what the error analysis counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..evaluation.boxes import as_measured, box_iou
from ..evaluation.conventions import PRESETS, Convention
from ..evaluation.error_analysis import ERROR_TYPES, KINDS, classify_errors
from ..evaluation.frame_ap import FrameBoxes, ranked
from ..evaluation.matching import pairs_with_equal_key


class ErrorExample(NamedTuple):
    """A wrong detection, or an object that none was found for.

    Attributes:
        video: index of the video.
        frame: number of the frame, from 0.
        label: class of the detection, or of the missed object.
        box: (4,) xyxy of it, half-open pixels.
        score: of the detection; None for a missed object.
    """

    video: int
    frame: int
    label: int
    box: np.ndarray
    score: float | None


def error_examples(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thr: float,
    convention: Convention = PRESETS['act'],
    num: int = 4,
) -> dict[str, list[ErrorExample]]:
    """Find the most confident errors of each kind, from different videos.

    As objects that were missed, those count that no detection of their class overlaps
    enough, whatever its score; the videos with most of them come first, each with the
    one in the middle.

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thr: overlap from which on a detection is right.
        convention: how boxes are measured and matched.
        num: largest number of examples of a kind.

    Returns:
        Each of `ERROR_TYPES` -> examples, the worst first.
    """
    _, kinds = classify_errors(gt, det, num_classes, iou_thr, convention)
    found = ranked(gt, det, convention)
    examples: dict[str, list[ErrorExample]] = {}
    for kind, name in enumerate(KINDS):
        of_kind = np.flatnonzero(kinds == kind)
        _, first = np.unique(found.video[of_kind], return_index=True)
        picked = of_kind[np.sort(first)[:num]]
        examples[name] = [_example(found, i, float(found.scores[i])) for i in picked]
    lost = np.flatnonzero(~_near(gt, found, num_classes, iou_thr, convention))
    videos, counts = np.unique(gt.video[lost], return_counts=True)
    worst = videos[np.argsort(-counts, kind='stable')[:num]]
    of_worst = (lost[gt.video[lost] == video] for video in worst)
    examples[ERROR_TYPES[-1]] = [_example(gt, i[len(i) // 2], None) for i in of_worst]
    return examples


def _example(boxes: FrameBoxes, index: int, score: float | None) -> ErrorExample:
    video, frame, label = (
        int(of[index]) for of in (boxes.video, boxes.frame, boxes.label)
    )
    return ErrorExample(video, frame, label, boxes.boxes[index], score)


def _near(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thr: float,
    convention: Convention,
) -> np.ndarray:
    """Whether objects (N,) have a detection of their class that overlaps enough."""
    i, j = pairs_with_equal_key(gt.keys(num_classes), det.keys(num_classes))
    iou = box_iou(
        as_measured(gt.boxes, convention.frame_pixel)[i],
        as_measured(det.boxes, convention.frame_pixel)[j],
    )
    near = np.zeros(len(gt.label), bool)
    near[i[iou >= iou_thr]] = True
    return near
