"""Suppression of boxes of one frame and class, as ACT and MOC do it before frame-AP."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ssvad.evaluation.boxes import box_iou
from ssvad.evaluation.frame_ap import FrameBoxes


def suppress_hard(
    boxes: FrameBoxes, num_classes: int, iou_thr: float = 0.3
) -> FrameBoxes:
    """Drop every box that overlaps a better kept one by more than ``iou_thr`` (ACT).

    Args:
        boxes: N boxes of any videos and frames.
        num_classes: K.
        iou_thr: largest IoU allowed between two kept boxes of a frame and class.
    """
    kept = np.ones(len(boxes.label), bool)
    for rows, iou in _groups(boxes, num_classes):
        for i in range(len(rows)):
            if kept[rows[i]]:
                kept[rows[i + 1 :][iou[i, i + 1 :] > iou_thr]] = False
    return boxes.take(np.flatnonzero(kept))


def suppress_soft(
    boxes: FrameBoxes, num_classes: int, iou_thr: float = 0.6
) -> FrameBoxes:
    """Lower the score of boxes that overlap a better one, to score * (1 - IoU) (MOC).

    In one pass: a box lowered once is not lowered again, and lowers no other.

    Args:
        boxes: N boxes of any videos and frames.
        num_classes: K.
        iou_thr: IoU above which a score is lowered.

    Returns:
        N boxes in the order given.
    """
    weight = np.ones(len(boxes.label))
    for rows, iou in _groups(boxes, num_classes):
        free = np.ones(len(rows), bool)
        for i in range(len(rows)):
            if free[i]:
                lowered = free & (iou[i] > iou_thr) & (np.arange(len(rows)) > i)
                weight[rows[lowered]] = 1 - iou[i, lowered]
                free &= ~lowered
    return boxes._replace(scores=boxes.scores * weight)


def _groups(
    boxes: FrameBoxes, num_classes: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of every frame and class with several boxes, best first, and their IoU."""
    keys = boxes.keys(num_classes)
    order = np.lexsort((-boxes.scores, keys))
    _, begins = np.unique(keys[order], return_index=True)
    for rows in np.split(order, begins[1:]):
        if len(rows) > 1:
            found = boxes.boxes[rows]
            yield rows, box_iou(found[:, None], found[None])
