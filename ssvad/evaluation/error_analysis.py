"""What kind of mistakes a detector makes, in shares of average precision."""

from __future__ import annotations

import numpy as np

from .average_precision import precision_recall
from .boxes import as_measured, box_iou
from .conventions import PRESETS, Convention
from .frame_ap import FrameBoxes, ranked
from .matching import greedy_match, pairs_with_equal_key

KINDS = ('localisation', 'duplicate', 'classification', 'timing', 'other')
ERROR_TYPES = (*KINDS, 'missed')


def classify_errors(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thr: float,
    convention: Convention = PRESETS['act'],
) -> tuple[np.ndarray, np.ndarray]:
    """Say of every detection what it is.

    The first that holds (ACT, Kalogeiton et al., 2017, who call duplicates
    localisation errors too): it is right; its frame shows the class, and it overlaps
    one of these objects enough (duplicate) or none (localisation); it overlaps an
    object of another class enough (classification); its video shows the class on other
    frames (timing); none of these (other).

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thr: overlap from which on a detection is right.
        convention: how boxes are measured and matched.

    Returns:
        Labels (N,) int and kinds (N,) int, best score first: -1 is right, else an
        index into `KINDS`.
    """
    det = ranked(gt, det, convention)
    num = len(det.label)
    rank, target = pairs_with_equal_key(det.places(), gt.places())
    iou = box_iou(
        as_measured(det.boxes, convention.frame_pixel)[rank],
        as_measured(gt.boxes, convention.frame_pixel)[target],
    )
    same = det.label[rank] == gt.label[target]
    (hits,) = greedy_match(
        *(rank[same], target[same], iou[same], num),
        *([iou_thr], convention.frame_rematch),
    )
    near = iou >= iou_thr
    shown, near_own, near_other = np.zeros((3, num), bool)
    shown[rank[same]] = True
    near_own[rank[same & near]] = True
    near_other[rank[~same & near]] = True
    of_video = [boxes.video * num_classes + boxes.label for boxes in (det, gt)]
    kinds = np.select(
        [hits, shown & near_own, shown, near_other, np.isin(*of_video)],
        [-1, 1, 0, 2, 3],
        default=4,
    )
    return det.label, kinds


def error_analysis(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thr: float,
    convention: Convention = PRESETS['act'],
) -> dict[str, np.ndarray]:
    """Split 100 percent into average precision, kinds of errors and missed objects.

    A kind's share is not a fraction of the detections: as in ACT (Kalogeiton et al.,
    2017) its count among the first r detections takes the place of the true positives
    in the precision at rank r, and the area under that curve over recall is reported;
    what recall never reaches is missed. Therefore the areas are trapezoids whatever
    the convention's ``ap``.

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thr: overlap from which on a detection is right.
        convention: how boxes are measured and matched.

    Returns:
        'AP' and each of `ERROR_TYPES` -> (K,) float64 percent, summing to 100; NaN
        marks a class without ground truth. Also 'num_...' -> (K,) int, the
        plain counts of detections and of missed objects.
    """
    labels, kinds = classify_errors(gt, det, num_classes, iou_thr, convention)
    num_gt = np.bincount(gt.label, minlength=num_classes)
    shares = {name: np.full(num_classes, np.nan) for name in ('AP', *ERROR_TYPES)}
    counts = {
        f'num_{name}': np.bincount(labels[kinds == k], minlength=num_classes)
        for k, name in enumerate(KINDS)
    }
    right = np.bincount(labels[kinds == -1], minlength=num_classes)
    counts['num_missed'] = num_gt - right
    for label in np.flatnonzero(num_gt):
        of_class = kinds[labels == label]
        _, recall = precision_recall(of_class == -1, num_gt[label])
        width = 100 * np.diff(recall) / 2
        ranks = np.arange(1, len(of_class) + 1)
        for k, name in enumerate(('AP', *KINDS), start=-1):
            share = np.r_[float(k == -1), np.cumsum(of_class == k) / ranks]
            shares[name][label] = np.sum(width * (share[1:] + share[:-1]))
        shares['missed'][label] = 100 * (1 - recall[-1])
    return {**shares, **counts}
