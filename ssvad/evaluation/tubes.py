"""Tubes (a box per consecutive frame), their overlap and its suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from .boxes import as_measured, box_iou
from .conventions import PRESETS, Convention
from .matching import pairs_with_equal_key

# rows of boxes compared at once, which bounds the memory
CHUNK = 1 << 18


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


def tube_ious(
    first: Sequence[AnyTube],
    second: Sequence[AnyTube],
    i: np.ndarray,
    j: np.ndarray,
    convention: Convention = PRESETS['act'],
) -> np.ndarray:
    """Mean box IoU on the shared frames times the temporal IoU of the extents.

    By the convention of ACT (Kalogeiton et al., 2017) extents count frames, so tubes
    sharing a single frame overlap. Videos and labels are not looked at.

    Args:
        first: tubes.
        second: tubes.
        i: (P,) int, the pairs' indices into ``first``.
        j: (P,) int, the pairs' indices into ``second``.
        convention: how space and time are measured.

    Returns:
        (P,) float64 in [0, 1]; 0 without a shared frame.
    """
    (start_a, end_a, rows_a, boxes_a), (start_b, end_b, rows_b, boxes_b) = (
        _flat(tubes, convention.tube_pixel) for tubes in (first, second)
    )
    start = np.maximum(start_a[i], start_b[j])
    shared = np.minimum(end_a[i], end_b[j]) - start
    union = np.maximum(end_a[i], end_b[j]) - np.minimum(start_a[i], start_b[j])
    result = np.zeros(len(i))
    meeting = np.flatnonzero(shared >= convention.min_shared_frames)
    chunk_of = np.cumsum(shared[meeting]) // CHUNK
    for part in np.split(meeting, np.flatnonzero(np.diff(chunk_of)) + 1):
        if not len(part):
            continue
        num = shared[part]
        begin = np.cumsum(num) - num
        within = np.arange(num.sum()) - np.repeat(begin, num)
        row_a, row_b = (
            np.repeat(rows[index[part]] + start[part] - starts[index[part]], num)
            for rows, starts, index in ((rows_a, start_a, i), (rows_b, start_b, j))
        )
        iou = box_iou(boxes_a[row_a + within], boxes_b[row_b + within])
        # from 0 on, as np.mean adds up: the last bit decides exact ties
        iou = np.insert(iou, begin, 0)
        result[part] = np.add.reduceat(iou, begin + np.arange(len(part))) / num
    if convention.tube_time == 'distance':
        shared, union = shared - 1, np.maximum(union - 1, 1)
    return result * (shared / union)


def tube_iou(a: AnyTube, b: AnyTube, convention: Convention = PRESETS['act']) -> float:
    """Overlap of two tubes in [0, 1], see `tube_ious`."""
    pair = np.zeros(1, int)
    return float(tube_ious([a], [b], pair, pair, convention)[0])


def nms_tubes(
    tubes: Sequence[AnyTube],
    iou_thr: float = 0.3,
    convention: Convention = PRESETS['act'],
    groups: np.ndarray | None = None,
) -> list[AnyTube]:
    """Drop every tube that overlaps a better kept one by more than ``iou_thr``.

    Args:
        tubes: tubes; equal scores keep the order given.
        iou_thr: largest tube IoU allowed between two kept tubes.
        convention: how overlap is measured.
        groups: (N,) int, e.g. a number for video and class: only tubes of the same
            group suppress each other. None puts all into one.

    Returns:
        The kept tubes, best score first.
    """
    order = np.argsort([-tube.score for tube in tubes], kind='stable')
    tubes = [tubes[k] for k in order]
    groups = np.zeros(len(tubes), int) if groups is None else np.asarray(groups)[order]
    better, worse = pairs_with_equal_key(groups, groups)
    better, worse = better[better < worse], worse[better < worse]
    close = tube_ious(tubes, tubes, better, worse, convention) > iou_thr
    kept = np.ones(len(tubes), bool)
    for k, other in zip(better[close], worse[close]):
        if kept[k]:
            kept[other] = False
    return [tubes[k] for k in np.flatnonzero(kept)]


def _flat(tubes: Sequence[AnyTube], pixel: str) -> tuple:
    """First and last frame + 1, first row, and all boxes of the tubes as arrays."""
    start = np.array([tube.start for tube in tubes], np.int64)
    length = np.array([len(tube.boxes) for tube in tubes], np.int64)
    boxes = np.concatenate([np.zeros((0, 4))] + [tube.boxes for tube in tubes])
    rows = np.cumsum(length) - length
    return start, start + length, rows, as_measured(boxes, pixel)
