"""Detections in the pickles that ACT and MOC leave in a folder of results.

* ``frame_detections.pkl`` (MOC): an array (N, 8) of index of the video, frame, label,
  score, x1, y1, x2, y2, after suppression.
* ``<video>/00001.pkl``, ... one for each frame in which K frames begin. MOC:
  ``{label from 1: (n, 4K + 1)}``, K boxes and the score. ACT: two arrays, the first (n,
  4K + 2) with label from 0, score and K boxes; the second, unsuppressed, is not used.
  Their boxes of one frame and class are to be suppressed, see `suppression`.
* ``<video>_tubes.pkl``: ``{label: [(boxes (L, 6), score)]}``, each row frame, x1, y1,
  x2, y2, score.

Labels count from 0 unless said otherwise, frames and pixels from 1; the right and
bottom edge belong to the box. Nothing that a pickle names is run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conversion.plain_pickle import load_plain
from ssvad.evaluation.detections import concatenate_boxes
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tubes import Tube

from .rows import Rows, Target, checked_boxes, checked_tubes

# The frame boxes of all of UCF101-24 are a large pickle.
LIMIT = 1 << 33


def read_act_boxes(path: Path, target: Target) -> FrameBoxes:
    """Read a ``frame_detections.pkl``.

    Raises:
        ValueError: it is malformed; the message names file, row and value.
    """
    table = _numbers(load_plain(path, LIMIT), 2, str(path))
    if table.shape[1] != 8:
        raise ValueError(
            f'{path}: expected 8 columns: video, frame, label, score, x1, y1, x2, y2; '
            f'got {table.shape[1]}'
        )
    rows = Rows(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4:])
    return checked_boxes(rows, target, lambda i: f'{path}: row {i}')


def read_act_folder(
    folder: Path, target: Target, suppress: Callable[[FrameBoxes, str], FrameBoxes]
) -> FrameBoxes:
    """Read the pickles of all first frames: each detection has a box on K frames.

    Args:
        folder: the folder of results.
        target: what the boxes are compared with; its videos are read.
        suppress: called with the boxes of one video and who wrote them, 'act' or
            'moc'; returns those that are left.

    Raises:
        ValueError: a file is missing or malformed; the message names file and value.
    """
    length = _frames_per_detection(folder, target)
    parts = []
    for video, num_frames in enumerate(target.num_frames):
        first = target.layout.first_frame
        paths, blocks, writer = [], [], ''
        for frame in range(first, first + num_frames - length + 1):
            path = _frame_file(folder, target.names[video], frame)
            block, writer = _detections(path)
            if block.shape[1] != 4 * length + 2:
                raise ValueError(
                    f'{path}: boxes on {(block.shape[1] - 2) / 4:g} frames, elsewhere '
                    f'on {length}'
                )
            for k in range(length):
                paths.append(path)
                boxes = block[:, 2 + 4 * k : 6 + 4 * k]
                where = np.tile([video, frame + k], (len(block), 1))
                blocks.append(np.concatenate([where, block[:, :2], boxes], axis=1))
        if blocks:
            parts.append(suppress(_checked_blocks(blocks, paths, target), writer))
    return concatenate_boxes(parts)


def read_act_tubes(folder: Path, target: Target) -> list[Tube]:
    """Read the ``<video>_tubes.pkl`` of all videos.

    Raises:
        ValueError: a file is missing or malformed; the message names file, tube, box
            and value.
    """
    tubes = []
    for video, name in enumerate(target.names):
        path = folder / f'{name}_tubes.pkl'
        if not path.is_file():
            raise ValueError(f"{path}: missing, the tubes of video '{name}'")
        rows, lengths, places = [np.zeros((0, 8))], [], []
        for label, items in _items(load_plain(path, LIMIT), path):
            if not isinstance(items, (list, tuple)):
                raise ValueError(
                    f'{path}: class {label}: expected a list of tubes, got '
                    f'{type(items).__name__}'
                )
            for index, item in enumerate(items):
                place = f'{path}: class {label}: tube {index}'
                boxes, score = _tube(item, place)
                whose = np.tile([video, label, score], (len(boxes), 1))
                rows.append(np.concatenate([whose, boxes[:, :5]], axis=1))
                lengths.append(len(boxes))
                places.append(place)
        table = np.concatenate(rows)
        columns = Rows(table[:, 0], table[:, 3], table[:, 1], table[:, 2], table[:, 4:])
        target_by_name = target._replace(listed=target.names)
        tubes += checked_tubes(columns, lengths, target_by_name, places.__getitem__)
    return tubes


def _frames_per_detection(folder: Path, target: Target) -> int:
    first = target.layout.first_frame
    for name in target.names:
        if any((folder / file).is_file() for file in _file_names(name, first)):
            return (_detections(_frame_file(folder, name, first))[0].shape[1] - 2) // 4
    raise ValueError(
        f'{folder}: expected a folder for each video with a pickle for each frame, but '
        f"there is no '{_file_names(target.names[0], first)[0]}' nor that of any other "
        'video'
    )


def _file_names(name: str, frame: int) -> list[str]:
    # five digits for UCF101 and JHMDB, six for UCF Sports
    return [f'{name}/{frame:05d}.pkl', f'{name}/{frame:06d}.pkl']


def _frame_file(folder: Path, name: str, frame: int) -> Path:
    paths = [folder / file for file in _file_names(name, frame)]
    for path in paths:
        if path.is_file():
            return path
    raise ValueError(f'{paths[0]}: missing, the detections that begin on frame {frame}')


def _detections(path: Path) -> tuple[np.ndarray, str]:
    """(n, 2 + 4K) label from 0, score, K boxes, and who wrote it."""
    data = load_plain(path, LIMIT)
    if isinstance(data, (tuple, list)) and len(data) == 2:
        table, writer = _numbers(data[0], 2, str(path)), 'act'
    else:
        parts = [np.zeros((0, 0))]
        for label, found in _items(data, path):
            found = _numbers(found, 2, f'{path}: class {label}')
            labels = np.full((len(found), 1), label - 1)
            parts.append(np.concatenate([labels, found[:, -1:], found[:, :-1]], axis=1))
        if len({part.shape[1] for part in parts[1:]}) != 1:
            raise ValueError(
                f'{path}: expected an array (n, 4K + 1) for each class, of one K, got '
                f'{[part.shape[1] - 1 for part in parts[1:]]} columns'
            )
        table, writer = np.concatenate(parts[1:]), 'moc'
    if table.shape[1] < 6 or table.shape[1] % 4 != 2:
        raise ValueError(
            f'{path}: expected K boxes of four values beside label and score, got '
            f'{table.shape[1]} values'
        )
    return table, writer


def _checked_blocks(blocks: list, paths: list, target: Target) -> FrameBoxes:
    """Boxes of (n, 8) blocks: video, frame, label, score, box; a block, a file."""
    ends = np.cumsum([len(block) for block in blocks])

    def place(i: int) -> str:
        block = int(np.searchsorted(ends, i, side='right'))
        return f'{paths[block]}: row {i - ends[block] + len(blocks[block])}'

    table = np.concatenate(blocks)
    rows = Rows(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4:])
    return checked_boxes(rows, target._replace(listed=target.names), place)


def _tube(item: Any, place: str) -> tuple[np.ndarray, float]:
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise ValueError(f'{place}: expected (boxes, score), got {type(item).__name__}')
    boxes, score = _numbers(item[0], 2, place), _numbers(item[1], 0, place)
    if boxes.shape[1] not in (5, 6):
        raise ValueError(
            f'{place}: expected frame, x1, y1, x2, y2 and maybe a score in each row, '
            f'got {boxes.shape[1]} columns'
        )
    return boxes, float(score)


def _items(data: Any, path: Path) -> list[tuple[int, Any]]:
    if not isinstance(data, dict) or not data:
        raise ValueError(
            f'{path}: expected a dict with an entry a class, got {type(data).__name__}'
        )
    for label in data:
        if not isinstance(label, (int, np.integer)):
            raise ValueError(
                f'{path}: expected whole numbers as classes, got {type(label).__name__}'
            )
    return [(int(label), found) for label, found in data.items()]


def _numbers(data: Any, ndim: int, where: str) -> np.ndarray:
    # Lists are refused unseen: nested, they can be larger than any memory.
    plain = isinstance(data, (np.ndarray, np.generic, int, float))
    array = np.asarray(data if plain else None)
    if array.dtype.kind not in 'iuf' or array.ndim != ndim:
        kind = f'{array.dtype} {array.shape}' if plain else type(data).__name__
        raise ValueError(
            f'{where}: expected an array of numbers of {ndim} dimensions, got {kind}'
        )
    return array.astype(np.float64)
