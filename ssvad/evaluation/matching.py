"""Which detection takes which ground-truth object."""

from __future__ import annotations

from collections.abc import Sequence

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
    det: np.ndarray,
    gt: np.ndarray,
    iou: np.ndarray,
    num_det: int,
    iou_thrs: Sequence[float],
    rematch: bool = True,
) -> np.ndarray:
    """Let the detections choose, best score first, among the objects.

    With ``rematch`` a detection takes the free object with the largest IoU if that
    reaches the threshold, and a later detection may have its second best (ACT,
    Kalogeiton et al., 2017). Without, it is right only if the object with the largest
    IoU of all is still free (PASCAL VOC).

    Args:
        det: (P,) int, rank of the pair's detection, 0 = best score.
        gt: (P,) int, index of the pair's ground-truth object; the lower wins a tie.
        iou: (P,) float overlap of the pair. Pairs not listed never match.
        num_det: number of detections N.
        iou_thrs: the A smallest overlaps that count, inclusive.
        rematch: see above.

    Returns:
        (A, N) bool, True where the detection of that rank is a true positive.
    """
    by_choice = np.lexsort((gt, -iou, det))
    det, gt, iou = det[by_choice], gt[by_choice], iou[by_choice]
    if not rematch:
        first = np.r_[True, det[1:] != det[:-1]][: len(det)]
        det, gt, iou = det[first], gt[first], iou[first]
    return np.array(
        [_serve(det[near], gt[near], num_det) for near in (iou >= t for t in iou_thrs)]
    ).reshape(len(iou_thrs), num_det)


def _serve(det: np.ndarray, gt: np.ndarray, num_det: int) -> np.ndarray:
    """Serve detections in order of rank from their lists of choices.

    All detections ask at once for the first object of their list; an object goes to
    the lowest rank that has asked so far, the others go on to their next choice. This
    ends as serving them one after the other would, because every object prefers the
    same order (deferred acceptance, Gale & Shapley, 1962).
    """
    nobody = num_det
    owner = np.full(gt.max(initial=-1) + 1, nobody)
    hits = np.zeros(num_det, bool)
    asking, choice = np.unique(det, return_index=True)
    position = np.zeros(num_det, np.int64)
    position[asking] = choice
    while len(asking):
        wanted = gt[position[asking]]
        before = owner[wanted]
        np.minimum.at(owner, wanted, asking)
        after = owner[wanted]
        ousted = np.unique(before[(before != after) & (before != nobody)])
        asking = np.concatenate([asking[after != asking], ousted])
        position[asking] += 1
        more = position[asking] < len(det)
        more[more] = det[position[asking[more]]] == asking[more]
        asking = asking[more]
    hits[owner[owner != nobody]] = True
    return hits
