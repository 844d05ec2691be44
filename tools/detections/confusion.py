"""Confusion matrix of detections, as usual for object detectors."""

from __future__ import annotations

import numpy as np

from ssvad.evaluation.boxes import box_iou
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.matching import pairs_with_equal_key


def box_confusion(
    gt: FrameBoxes, det: FrameBoxes, num_classes: int, iou_thr: float, score_thr: float
) -> np.ndarray:
    """Count which classes annotated boxes were taken for.

    Args:
        gt: annotated boxes.
        det: detected boxes.
        num_classes: K.
        iou_thr: overlap from which on a detection has found a box.
        score_thr: smallest score of the detections that count.

    Returns:
        (K + 1, K + 1) int64, true class by detected class. Row K counts detections that
        found nothing, column K boxes that were not found; [K, K] is 0.
    """
    det = det.take(np.flatnonzero(det.scores >= score_thr))
    det = det.take(np.argsort(-det.scores, kind='stable'))
    rank, target = pairs_with_equal_key(det.places(), gt.places())
    iou = box_iou(det.boxes[rank], gt.boxes[target])
    near = iou >= iou_thr
    rank, target, iou = rank[near], target[near], iou[near]
    true = np.full(len(det.label), num_classes)
    free = np.ones(len(gt.label), bool)
    for pair in np.lexsort((target, -iou, rank)):
        d, g = rank[pair], target[pair]
        if true[d] == num_classes and free[g]:
            true[d], free[g] = gt.label[g], False
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    np.add.at(matrix, (true, det.label), 1)
    np.add.at(matrix, (gt.label[free], num_classes), 1)
    return matrix
