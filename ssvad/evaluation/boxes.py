"""Boxes as half-open pixel rectangles, and their overlap."""

from __future__ import annotations

import numpy as np


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, row against row.

    Args:
        a: (..., 4) boxes xyxy, absolute pixels, right and bottom exclusive.
        b: (..., 4) boxes, same convention; the leading axes broadcast with ``a``.

    Returns:
        (...) float64 in [0, 1]; 0 where both boxes are empty.
    """
    a = np.asarray(a, np.float64)
    b = np.asarray(b, np.float64)
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    inter = overlap.clip(min=0).prod(axis=-1)
    area_a = (a[..., 2:] - a[..., :2]).prod(axis=-1)
    area_b = (b[..., 2:] - b[..., :2]).prod(axis=-1)
    union = area_a + area_b - inter
    return np.divide(inter, union, out=np.zeros_like(union), where=union > 0)


def inclusive_to_half_open(boxes: np.ndarray) -> np.ndarray:
    """Turn boxes whose last row and column still belong to them into half-open ones.

    The ACT evaluation (Kalogeiton et al., 2017) measures a box as ``x2 - x1 + 1``;
    after this shift the plain IoU of :func:`box_iou` gives the same numbers.

    Args:
        boxes: (..., 4) boxes xyxy, absolute pixels, right and bottom inclusive.

    Returns:
        (..., 4) float64 boxes xyxy, right and bottom exclusive.
    """
    return np.asarray(boxes, np.float64) + np.array([0.0, 0.0, 1.0, 1.0])
