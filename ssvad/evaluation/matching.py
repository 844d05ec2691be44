"""Which detection takes which ground-truth object."""

from __future__ import annotations

import numpy as np


def pairs_with_equal_key(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All index pairs (i, j) with ``first[i] == second[j]``.

    Args:
        first: (N,) int keys, e.g. of detections.
        second: (G,) int keys, e.g. of ground truth.

    Returns:
        Two (P,) int64 arrays of indices, sorted by i, then by j.
    """
    order = np.argsort(second, kind='stable')
    begin = np.searchsorted(second[order], first, side='left')
    count = np.searchsorted(second[order], first, side='right') - begin
    i = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[begin[i] + within]


def greedy_match(
    det: np.ndarray, gt: np.ndarray, iou: np.ndarray, num_det: int, iou_thr: float
) -> np.ndarray:
    """Let the detections choose, best score first, among the objects still free.

    A detection takes the free object with the largest IoU if that is at least
    ``iou_thr``, and the object is gone for later detections; a later detection may
    still take its second-best object (ACT, Kalogeiton et al., 2017).

    Args:
        det: (P,) int, rank of the pair's detection, 0 = best score.
        gt: (P,) int, index of the pair's ground-truth object.
        iou: (P,) float overlap of the pair. Pairs not listed never match.
        num_det: number of detections N.
        iou_thr: smallest overlap that counts, inclusive.

    Returns:
        (N,) bool, True where the detection of that rank is a true positive.
    """
    near = iou >= iou_thr
    det, gt, iou = det[near], gt[near], iou[near]
    hits = np.zeros(num_det, bool)
    taken = set()
    for k in np.lexsort((gt, -iou, det)):
        if not hits[det[k]] and gt[k] not in taken:
            hits[det[k]] = True
            taken.add(gt[k])
    return hits
