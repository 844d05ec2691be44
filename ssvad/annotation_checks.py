"""The rules of the annotation file, format ``ssvad-tubes-1``."""

from __future__ import annotations

from itertools import chain
from pathlib import PureWindowsPath
from typing import Any

import numpy as np


def check_annotations(classes: Any, videos: Any, where: str = 'annotations') -> None:
    """Raise a ValueError, beginning with ``where``, on the first broken rule."""
    if not isinstance(classes, list) or not classes:
        raise ValueError(
            f"{where}: 'classes' must be a non-empty list of names, got {classes!r}"
        )
    for name in classes:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ValueError(
                f"{where}: a name in 'classes' must be a printable text, got {name!r}"
            )
    if len(set(classes)) < len(classes):
        raise ValueError(f"{where}: a name occurs twice in 'classes': {classes}")
    if not isinstance(videos, list):
        raise ValueError(
            f"{where}: 'videos' must be a list, got {type(videos).__name__}"
        )
    seen = set()
    for index, video in enumerate(videos):
        _check_video(video, len(classes), f'{where}: video {index}')
        if video['id'] in seen:
            raise ValueError(
                f"{where}: video {index}: id '{video['id']}' occurs twice; ids must "
                'be unique'
            )
        seen.add(video['id'])


def _check_video(video: Any, num_classes: int, where: str) -> None:
    if not isinstance(video, dict):
        raise ValueError(f'{where}: expected an object, got {video!r}')
    video_id = video.get('id')
    # An id must survive being a line of a split list.
    if (
        not isinstance(video_id, str)
        or not video_id
        or video_id != video_id.strip()
        or video_id.startswith('#')
        or not video_id.isprintable()
    ):
        raise ValueError(
            f"{where}: 'id' must be a printable text without spaces around it and "
            f"without a leading '#', got {video_id!r}"
        )
    where = f"{where} '{video_id}'"
    _check_file(video.get('file'), 'file', 'video folder', where)
    if 'masks' in video:
        _check_file(video['masks'], 'masks', 'folder of the masks', where)
    for key in ('width', 'height', 'num_frames'):
        value = video.get(key)
        if not _is_int(value) or value < 1:
            raise ValueError(f"{where}: '{key}' must be an integer >= 1, got {value!r}")
    if not isinstance(video.get('tubes'), list):
        raise ValueError(
            f"{where}: 'tubes' must be a list (empty if there is no action), got "
            f'{video.get("tubes")!r}'
        )
    for index, tube in enumerate(video['tubes']):
        _check_tube(tube, video, num_classes, f'{where}: tube {index}')


def _check_file(name: Any, key: str, folder: str, where: str) -> None:
    # Windows' reading of a path knows drives and both kinds of slashes.
    path = PureWindowsPath(name) if isinstance(name, str) else None
    if (
        path is None
        or not path.parts
        or path.anchor
        or '..' in path.parts
        or '\\' in name
        or not name.isprintable()
    ):
        raise ValueError(
            f"{where}: '{key}' must be a path relative to the {folder}, with '/' "
            f"and without '..', got {name!r}"
        )


def _check_tube(tube: Any, video: dict, num_classes: int, where: str) -> None:
    if not isinstance(tube, dict):
        raise ValueError(f'{where}: expected an object, got {tube!r}')
    label, start = tube.get('label'), tube.get('start')
    if not _is_int(label) or not 0 <= label < num_classes:
        raise ValueError(
            f"{where}: 'label' must be an integer in 0..{num_classes - 1}, got "
            f'{label!r}'
        )
    if not _is_int(start) or start < 0:
        raise ValueError(f"{where}: 'start' must be an integer >= 0, got {start!r}")
    boxes = _box_array(tube.get('boxes'), start, where)
    if start + len(boxes) > video['num_frames']:
        raise ValueError(
            f'{where}: frames {start}..{start + len(boxes) - 1} leave the video, which '
            f'has num_frames {video["num_frames"]}'
        )
    width, height = video['width'], video['height']
    ordered = (boxes[:, :2] < boxes[:, 2:]).all(1)
    inside = (boxes >= 0).all(1) & (boxes[:, 2:] <= (width, height)).all(1)
    for good, rule in (
        (np.isfinite(boxes).all(1), 'must be finite'),
        (ordered, 'must have x1 < x2 and y1 < y2'),
        (inside, f'must lie within the frame of {width} x {height}; clip it'),
    ):
        if not good.all():
            bad = int(np.argmin(good))
            raise ValueError(
                f'{where}: frame {start + bad}: box [x1, y1, x2, y2] {rule}, got '
                f'{boxes[bad].tolist()}'
            )


def _box_array(boxes: Any, start: int, where: str) -> np.ndarray:
    if isinstance(boxes, np.ndarray):
        boxes = boxes.tolist()
    if not isinstance(boxes, list) or not boxes:
        raise ValueError(
            f"{where}: 'boxes' must be a non-empty list of [x1, y1, x2, y2], got "
            f'{boxes!r}'
        )
    try:
        kinds = set(map(type, chain.from_iterable(boxes)))
        if set(map(len, boxes)) == {4} and kinds <= {int, float}:
            return np.array(boxes, dtype=np.float64)
    except (TypeError, OverflowError):
        pass
    for index, box in enumerate(boxes):
        if (
            not isinstance(box, (list, tuple))
            or len(box) != 4
            or not all(type(value) in (int, float) for value in box)
        ):
            raise ValueError(
                f'{where}: frame {start + index}: a box must be four numbers '
                f'[x1, y1, x2, y2], got {box!r}'
            )
    raise ValueError(f'{where}: a coordinate is too large for a float')


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
