"""From foreground probability maps to boxes in the source video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np


class MaskBoxes(NamedTuple):
    """The N connected components of one video's masks.

    Attributes:
        frame: (N,) int32, ascending.
        boxes: (N, 4) float64 xyxy, right and bottom exclusive.
        prob: (N,) float64 in [0, 1], mean probability inside the component.
    """

    frame: np.ndarray
    boxes: np.ndarray
    prob: np.ndarray


def mask_to_boxes(
    mask: np.ndarray,
    thr: float = 0.5,
    min_area: float = 25,
    min_rel_area: float = 0.05,
    connectivity: int = 8,
) -> MaskBoxes:
    """One tight box per connected component of the foreground.

    Components smaller than ``max(min_area, min_rel_area * largest component of the
    frame)`` are noise and dropped. Actors whose masks touch come out as one box, which
    bounds what any mask can reach: with perfect masks of UCF101-24, 93 % frame-mAP@0.5.

    Args:
        mask: (F, H, W) float in [0, 1], foreground probability.
        thr: smallest probability that is foreground.
        min_area: smallest component kept, in mask pixels.
        min_rel_area: smallest component kept, relative to the frame's largest.
        connectivity: 8 joins pixels that touch at a corner, 4 does not.

    Returns:
        Boxes in mask pixels: columns c0..c1 become x1 = c0, x2 = c1 + 1.

    Raises:
        ValueError: for another connectivity.
    """
    if connectivity not in (4, 8):
        raise ValueError(f'connectivity must be 4 or 8, got {connectivity}')
    frames, boxes, probs = [np.zeros(0, int)], [np.zeros((0, 4))], [np.zeros(0)]
    foreground = (mask >= thr).view(np.uint8)
    occupied = foreground.any(axis=2)
    for frame in np.flatnonzero(occupied.any(axis=1)):
        # actors fill a small part of a frame: look at that only
        rows = _extent(occupied[frame])
        columns = _extent(foreground[frame, rows].any(axis=0))
        part = foreground[frame, rows, columns]
        num, labels, stats, _ = cv2.connectedComponentsWithStats(
            part, connectivity=connectivity
        )
        area = stats[1:, cv2.CC_STAT_AREA]
        keep = area >= max(min_area, min_rel_area * area.max())
        inside = np.flatnonzero(part)
        prob = mask[frame, rows, columns].ravel()[inside]
        total = np.bincount(labels.ravel()[inside], prob, minlength=num)[1:]
        x, y, w, h = stats[1:, :4][keep].T.astype(np.float64)
        x, y = x + columns.start, y + rows.start
        frames.append(np.full(keep.sum(), frame))
        boxes.append(np.stack([x, y, x + w, y + h], axis=1))
        probs.append((total / area)[keep])
    return MaskBoxes(
        np.concatenate(frames).astype(np.int32),
        np.concatenate(boxes),
        np.concatenate(probs),
    )


def _extent(present: np.ndarray) -> slice:
    first, last = np.flatnonzero(present)[[0, -1]]
    return slice(int(first), int(last) + 1)


def to_source_pixels(
    boxes: np.ndarray,
    mask_shape: Sequence[int],
    crop_quadruple: Sequence[float],
    original_shape: Sequence[int],
) -> np.ndarray:
    """Move boxes from the pixels of the network's crop to those of the source video.

    Args:
        boxes: (N, 4) xyxy in mask pixels.
        mask_shape: (H, W) of the mask.
        crop_quadruple: x, y, w, h of the crop as fractions of the source frame.
        original_shape: (h, w) of the source frame in pixels.

    Returns:
        (N, 4) float64 xyxy in source pixels, right and bottom exclusive.
    """
    x, y, w, h = (float(value) for value in crop_quadruple)
    offset = np.array([x, y, x, y])
    scale = np.array([w, h, w, h]) / np.array([*mask_shape[::-1]] * 2)
    return (offset + boxes * scale) * np.array([*original_shape[::-1]] * 2)
