"""Tubes (a box per consecutive frame), their overlap and its suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from .boxes import box_iou


class Track(NamedTuple):
    """One actor's boxes in one video, without a class.

    Attributes:
        start: first frame, 0-based.
        boxes: (L, 4) xyxy, absolute pixels, right and bottom exclusive; one row per
            consecutive frame.
        score: larger is better; ignored for ground truth.
    """

    start: int
    boxes: np.ndarray
    score: float = 0.0


class Tube(NamedTuple):
    """A track with the video it is in and the class it shows; fields as in Track."""

    video: int
    label: int
    start: int
    boxes: np.ndarray
    score: float = 0.0


AnyTube = TypeVar('AnyTube', Track, Tube)


def tube_iou(a: AnyTube, b: AnyTube) -> float:
    """Mean box IoU on the shared frames times the temporal IoU of the extents.

    Both extents count frames, so tubes sharing a single frame overlap (ACT,
    Kalogeiton et al., 2017). Videos and labels are not looked at.

    Returns:
        Overlap in [0, 1]; 0 without a shared frame.
    """
    end_a, end_b = a.start + len(a.boxes), b.start + len(b.boxes)
    first, last = max(a.start, b.start), min(end_a, end_b)
    if last <= first:
        return 0.0
    spatial = box_iou(
        a.boxes[first - a.start : last - a.start],
        b.boxes[first - b.start : last - b.start],
    ).mean()
    return float(spatial) * (last - first) / (max(end_a, end_b) - min(a.start, b.start))


def nms_tubes(tubes: Sequence[AnyTube], iou_thr: float = 0.3) -> list[AnyTube]:
    """Drop every tube that overlaps a better kept one by more than ``iou_thr``.

    Args:
        tubes: tubes of one video and one class.
        iou_thr: largest tube IoU allowed between two kept tubes.

    Returns:
        The kept tubes, best score first.
    """
    kept: list[AnyTube] = []
    for tube in sorted(tubes, key=lambda t: -t.score):
        if all(tube_iou(tube, better) <= iou_thr for better in kept):
            kept.append(tube)
    return kept
