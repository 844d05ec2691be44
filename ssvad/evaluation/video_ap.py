"""Video-AP of the standard protocol: tubes judged as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .average_precision import per_class_ap
from .conventions import PRESETS, Convention
from .frame_ap import RankedHits
from .matching import greedy_match, pairs_with_equal_key
from .tubes import Tube, nms_tubes, tube_ious


def video_hits(
    gt: Sequence[Tube],
    det: Sequence[Tube],
    num_classes: int,
    iou_thrs: Sequence[float],
    convention: Convention = PRESETS['act'],
) -> RankedHits:
    """Suppress, rank and match tubes; overlaps are taken once for all thresholds.

    Args:
        gt: ground-truth tubes of all videos.
        det: detected tubes of all videos.
        num_classes: K.
        iou_thrs: the A tube overlaps from which on a detection is right.
        convention: how tubes are suppressed, measured and matched.
    """
    # by video and class, so that no tie depends on the order of the videos' records
    det = sorted(det, key=lambda tube: tube.video * num_classes + tube.label)
    if convention.tube_nms is not None:
        groups = _groups(det, num_classes)
        det = nms_tubes(det, convention.tube_nms, convention, groups)
    det = sorted(det, key=lambda tube: -tube.score)
    labels = np.array([tube.label for tube in det], int)
    rank, target = pairs_with_equal_key(
        _groups(det, num_classes), _groups(gt, num_classes)
    )
    iou = tube_ious(det, gt, rank, target, convention)
    hits = greedy_match(rank, target, iou, len(det), iou_thrs, convention.tube_rematch)
    gt_labels = np.array([tube.label for tube in gt], int)
    num_gt = np.bincount(gt_labels, minlength=num_classes)
    scores = np.array([tube.score for tube in det], float)
    return RankedHits(labels, scores, hits, num_gt)


def video_ap(
    gt: Sequence[Tube],
    det: Sequence[Tube],
    num_classes: int,
    iou_thrs: Sequence[float],
    convention: Convention = PRESETS['act'],
) -> np.ndarray:
    """Average precision of tubes per class, over all videos.

    Standard protocol as in ACT (Kalogeiton et al., 2017): tube suppression per video
    and class, then ranking and matching as for boxes, with the tube IoU.

    Args:
        gt: ground-truth tubes of all videos.
        det: detected tubes of all videos; equal scores keep the order of videos.
        num_classes: K.
        iou_thrs: the A tube overlaps from which on a detection is right.
        convention: how tubes are suppressed, measured, matched and averaged.

    Returns:
        (A, K) float64 in [0, 1]; NaN marks a class without ground truth.
    """
    found = video_hits(gt, det, num_classes, iou_thrs, convention)
    return per_class_ap(
        found.hits,
        found.labels,
        found.num_gt,
        convention.ap,
        convention.tube_recall_eps,
    )


def _groups(tubes: Sequence[Tube], num_classes: int) -> np.ndarray:
    return np.array([t.video * num_classes + t.label for t in tubes], np.int64)
