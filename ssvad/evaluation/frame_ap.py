"""Frame-AP of the standard protocol: boxes judged frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .average_precision import per_class_ap
from .boxes import as_measured, box_iou
from .conventions import PRESETS, Convention
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

    def places(self) -> np.ndarray:
        """(N,) int64, equal exactly for boxes of the same video and frame."""
        return self.video.astype(np.int64) << 32 | self.frame.astype(np.int64)

    def keys(self, num_classes: int) -> np.ndarray:
        """(N,) int64, equal exactly for boxes of the same video, frame and class."""
        return self.places() * num_classes + self.label

    def take(self, index: np.ndarray) -> FrameBoxes:
        """The rows chosen by an index array."""
        return FrameBoxes(*(field[index] for field in self))


class RankedHits(NamedTuple):
    """N detections by descending score, and which of them are right.

    Attributes:
        labels: (N,) int, class of each detection.
        scores: (N,) float.
        hits: (A, N) bool, true positives at each of A thresholds.
        num_gt: (K,) int, ground-truth objects per class.
    """

    labels: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    num_gt: np.ndarray


def ranked(gt: FrameBoxes, det: FrameBoxes, convention: Convention) -> FrameBoxes:
    """The detections that a convention counts, best score first.

    Equal scores keep the order given.
    """
    if convention.frames == 'annotated':
        det = det.take(np.isin(det.places(), gt.places()))
    return det.take(np.argsort(-det.scores, kind='stable'))


def frame_hits(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thrs: Sequence[float],
    convention: Convention = PRESETS['act'],
) -> RankedHits:
    """Rank all detections and find the true positives; overlaps are taken once.

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thrs: the A overlaps from which on a detection is right.
        convention: how boxes are measured and matched.
    """
    det = ranked(gt, det, convention)
    rank, target = pairs_with_equal_key(det.keys(num_classes), gt.keys(num_classes))
    iou = box_iou(
        as_measured(det.boxes, convention.frame_pixel)[rank],
        as_measured(gt.boxes, convention.frame_pixel)[target],
    )
    hits = greedy_match(
        rank, target, iou, len(det.label), iou_thrs, convention.frame_rematch
    )
    num_gt = np.bincount(gt.label, minlength=num_classes)
    return RankedHits(det.label, det.scores, hits, num_gt)


def frame_ap(
    gt: FrameBoxes,
    det: FrameBoxes,
    num_classes: int,
    iou_thrs: Sequence[float],
    convention: Convention = PRESETS['act'],
) -> np.ndarray:
    """Average precision of boxes per class, over all frames of all videos.

    Detections of a class are ranked over all videos. As in ACT (Kalogeiton et al.,
    2017) frames without ground truth are included, unless the convention says
    otherwise; equal scores keep the order given.

    Args:
        gt: ground-truth boxes.
        det: detected boxes.
        num_classes: K.
        iou_thrs: the A overlaps from which on a detection is right.
        convention: how boxes are measured, matched and averaged.

    Returns:
        (A, K) float64 in [0, 1]; NaN marks a class without ground truth.
    """
    found = frame_hits(gt, det, num_classes, iou_thrs, convention)
    return per_class_ap(found.hits, found.labels, found.num_gt, convention.ap)
