"""One tube of UCF101-24: from the annotators' boxes to the neutral ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .findings import Findings
from .values import short, whole

WIDTH, HEIGHT = 320, 240


def convert_tube(
    annotation: dict, num_frames: int, place: str, findings: Findings, where: str = ''
) -> dict | None:
    """Convert one annotated tube; None if nothing of it is left.

    Args:
        annotation: ``sf``, ``ef``, ``label`` and ``boxes`` (n, 4) as read.
        num_frames: Usable length of the video.
        place: Names the tube in findings.
        findings: Gets the irregularities, resolved as ``tools/convert_ucf24.py`` says.
        where: Names the tube in errors, ``place`` if empty.

    Raises:
        ValueError: something is not a number, or the boxes are not (n, 4).
    """
    where = where or place
    start, stop = (whole(annotation[k], f"{where}: '{k}'") for k in ('sf', 'ef'))
    boxes = _box_array(annotation['boxes'], start, where)
    if len(boxes) != stop - start:
        findings.add('tubes with another number of boxes than frames', place)
    boxes = boxes[: max(stop - start, 0)]
    if start < 0 or start + len(boxes) > num_frames:
        findings.add('tubes that leave the video', place)
        boxes = boxes[max(-start, 0) : max(num_frames - start, 0)]
        start = max(start, 0)
    x, y, w, h = boxes.T
    raw = np.stack([x - 1, y - 1, x + w, y + h], axis=1)
    boxes = raw.clip(0, (WIDTH, HEIGHT) * 2)
    good = (w > 0) & (h > 0) & (boxes[:, :2] < boxes[:, 2:]).all(1)
    clipped = int((raw != boxes).any(1).sum())
    findings.add('boxes clipped to the frame', place, clipped)
    findings.add('boxes without area', place, int((~good).sum()))
    kept = np.flatnonzero(good)
    if not len(kept):
        findings.add('tubes dropped', place)
        return None
    # For every frame between the first and last good box, the last good one so far.
    source = np.maximum.accumulate(np.where(good, np.arange(len(good)), 0))
    boxes = boxes[source[kept[0] : kept[-1] + 1]]
    label = whole(annotation['label'], f"{where}: 'label'")
    return {'label': label, 'start': start + int(kept[0]), 'boxes': boxes}


def _box_array(boxes: Any, start: int, where: str) -> np.ndarray:
    try:
        array = np.asarray(boxes)
    except ValueError:
        array = np.empty(0, 'U1')
    if array.size and (array.ndim != 2 or array.shape[1] != 4):
        raise ValueError(f'{where}: expected boxes (n, 4), got {array.shape}')
    if array.dtype.kind not in 'iuf':
        raise ValueError(f'{where}: expected boxes of numbers, got {short(boxes)}')
    array = array.reshape(-1, 4).astype(np.float64)
    for index in np.flatnonzero(~np.isfinite(array).all(1)):
        raise ValueError(
            f'{where}: frame {start + index}: a box [x, y, w, h] must be finite, got '
            f'{array[index].tolist()}'
        )
    return array
