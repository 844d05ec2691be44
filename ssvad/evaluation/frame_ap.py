"""Frame-AP of the standard protocol: boxes judged frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .average_precision import per_class_ap
from .boxes import box_iou
from .matching import greedy_match, pairs_with_equal_key


class FrameBoxes(NamedTuple):
    """N boxes on the frames of many videos, one row each.

    Attributes:
        video: (N,) int, index of the video.
        frame: (N,) int, index of the frame inside the video.
        label: (N,) int, class index.
        boxes: (N, 4) xyxy, absolute pixels, right and bottom exclusive.
        scores: (N,) float, larger is better; ignored for ground truth.
    """

    video: np.ndarray
    frame: np.ndarray
    label: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def keys(self, num_classes: int) -> np.ndarray:
        """(N,) int64, equal exactly for boxes of the same video, frame and class."""
        place = self.video.astype(np.int64) << 32 | self.frame.astype(np.int64)
        return place * num_classes + self.label

    def take(self, index: np.ndarray) -> FrameBoxes:
        """The rows chosen by an index array."""
        return FrameBoxes(*(field[index] for field in self))


def frame_ap(
    gt: FrameBoxes, det: FrameBoxes, num_classes: int, iou_thrs: Sequence[float]
) -> np.ndarray:
    """Average precision of boxes per class, over all frames of all videos.

    Standard protocol as in ACT (Kalogeiton et al., 2017): detections of a class are
    ranked over all videos, frames without ground truth included; equal scores keep
    the order given.

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thrs: the A overlaps from which on a detection is right.

    Returns:
        (A, K) float64 in [0, 1]; NaN marks a class without ground truth.
    """
    det = det.take(np.argsort(-det.scores, kind='stable'))
    rank, target = pairs_with_equal_key(det.keys(num_classes), gt.keys(num_classes))
    iou = box_iou(det.boxes[rank], gt.boxes[target])
    num_gt = np.bincount(gt.label, minlength=num_classes)
    return np.array(
        [
            per_class_ap(
                greedy_match(rank, target, iou, len(det.label), thr), det.label, num_gt
            )
            for thr in iou_thrs
        ]
    )
