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
    # sides one by one: reductions over an axis of two cost ten times as much
    width, height = (
        np.minimum(a[..., k + 2], b[..., k + 2]) - np.maximum(a[..., k], b[..., k])
        for k in (0, 1)
    )
    inter = np.maximum(width, 0) * np.maximum(height, 0)
    area_a, area_b = (
        (box[..., 2] - box[..., 0]) * (box[..., 3] - box[..., 1]) for box in (a, b)
    )
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


def as_measured(boxes: np.ndarray, pixel: str) -> np.ndarray:
    """Boxes with the size that a convention gives them, for :func:`box_iou`.

    Args:
        boxes: (..., 4) boxes xyxy, absolute pixels, right and bottom exclusive.
        pixel: 'inclusive' leaves them, 'exclusive' takes away the last row and column,
            see `Convention`.

    Returns:
        (..., 4) float64 boxes; those below one pixel become empty.
    """
    boxes = np.asarray(boxes, np.float64)
    if pixel == 'inclusive':
        return boxes
    corner = boxes[..., :2]
    return np.concatenate([corner, np.maximum(boxes[..., 2:] - 1, corner)], axis=-1)
