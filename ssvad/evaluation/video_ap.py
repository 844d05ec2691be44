"""Video-AP of the standard protocol: tubes judged as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from .average_precision import per_class_ap
from .matching import greedy_match, pairs_with_equal_key
from .tubes import Tube, nms_tubes, tube_iou


def video_ap(
    gt: Sequence[Tube],
    det: Sequence[Tube],
    num_classes: int,
    iou_thrs: Sequence[float],
    nms_iou: float | None = 0.3,
) -> np.ndarray:
    """Average precision of tubes per class, over all videos.

    Standard protocol as in ACT (Kalogeiton et al., 2017): tube suppression per video
    and class, then ranking and matching as for boxes, with the tube IoU.

    Args:
        gt: ground-truth tubes of all videos.
        det: detected tubes of all videos; equal scores keep the order of videos.
        num_classes: K.
        iou_thrs: the A tube overlaps from which on a detection is right.
        nms_iou: overlap above which the weaker tube of a video and class is dropped;
            None keeps all.

    Returns:
        (A, K) float64 in [0, 1]; NaN marks a class without ground truth.
    """

    def group(tube):
        return tube.video * num_classes + tube.label

    if nms_iou is not None:
        groups = groupby(sorted(det, key=group), key=group)
        det = [kept for _, tubes in groups for kept in nms_tubes(tubes, nms_iou)]
    det = sorted(det, key=lambda tube: -tube.score)
    labels = np.array([tube.label for tube in det], int)
    rank, target = pairs_with_equal_key(
        np.array([group(tube) for tube in det], np.int64),
        np.array([group(tube) for tube in gt], np.int64),
    )
    iou = np.array([tube_iou(det[i], gt[j]) for i, j in zip(rank, target)], float)
    gt_labels = np.array([tube.label for tube in gt], int)
    num_gt = np.bincount(gt_labels, minlength=num_classes)
    return np.array(
        [
            per_class_ap(greedy_match(rank, target, iou, len(det), thr), labels, num_gt)
            for thr in iou_thrs
        ]
    )
