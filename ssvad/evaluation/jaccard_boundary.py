"""Region similarity J and boundary accuracy F of masks (DAVIS, YouTube-VOS)."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np


def region_similarity(pred: np.ndarray, gt: np.ndarray) -> float:
    """Jaccard index J of two masks (Perazzi et al., CVPR 2016).

    Args:
        pred: (H, W) bool.
        gt: (H, W) bool.

    Returns:
        J in [0, 1]; 1 if both masks are empty.
    """
    union = np.count_nonzero(pred | gt)
    return np.count_nonzero(pred & gt) / union if union else 1.0


def boundary_accuracy(
    pred: np.ndarray, gt: np.ndarray, radius: int | None = None
) -> float:
    """F-measure of two masks' boundaries (Perazzi et al., CVPR 2016).

    A boundary pixel is right if the other mask has one within ``radius``; precision is
    the share of right pixels of the prediction, recall that of the ground truth. The
    original matches pixels one to one; this is the dilation that the DAVIS 2017 code
    and everyone after it uses.

    Args:
        pred: (H, W) bool.
        gt: (H, W) bool.
        radius: tolerance in pixels, 0 or more; None for `boundary_radius`.

    Returns:
        F in [0, 1]; 1 if neither mask has a boundary, 0 if only one has. A mask that
        covers the whole frame has none.
    """
    pred_edge, gt_edge = mask_boundary(pred), mask_boundary(gt)
    num_pred, num_gt = np.count_nonzero(pred_edge), np.count_nonzero(gt_edge)
    if not num_pred or not num_gt:
        return float(num_pred == num_gt)
    disk = _disk(boundary_radius(pred.shape) if radius is None else radius)
    near_pred, near_gt = (
        cv2.dilate(edge.view(np.uint8), disk).view(bool)
        for edge in (pred_edge, gt_edge)
    )
    precision = np.count_nonzero(pred_edge & near_gt) / num_pred
    recall = np.count_nonzero(gt_edge & near_pred) / num_gt
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def boundary_radius(shape: tuple[int, int], share: float = 0.008) -> int:
    """Tolerance of boundaries in pixels: a share of the frame's diagonal, rounded up.

    Args:
        shape: height and width.
        share: 0.008 in DAVIS and YouTube-VOS.
    """
    return math.ceil(share * math.hypot(*shape))


def mask_boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from their right, lower or lower right neighbour.

    Only neighbours inside the frame are asked; the last column has none but the lower,
    the last row none but the right.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, one pixel wide and on the upper left side of an edge: it may lie
        just outside of the mask.
    """
    edge = np.zeros(mask.shape, bool)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1] |= mask[:-1] ^ mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


@lru_cache(maxsize=8)
def _disk(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)
