"""Detections in npz files, the format of the reference files.

Boxes: ``frame``, ``label``, ``score`` (N,), ``boxes`` (N, 4) and either ``video`` (N,)
or, sorted by video, ``video_offset`` (V + 1): video i has the rows ``video_offset[i]``
to ``video_offset[i + 1]``. Tubes: ``video``, ``label``, ``score``, ``start`` (n,) and
``box_offset`` (n + 1): tube i has the rows ``box_offset[i]`` to ``box_offset[i + 1]``
of ``boxes`` (R, 4), one for each frame from ``start`` on.

``score_q`` and ``boxes_q`` may stand for ``score`` and ``boxes``: score = score_q /
2^24, box = boxes_q / 4. ``names`` (V,), texts, may name the videos that the numbers
refer to. Frames and pixels count from 1 and the right and bottom edge belong to the box
unless the command line says otherwise; labels count from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tubes import Tube

from .rows import Rows, Target, as_rows, checked_boxes, checked_tubes

QUANTISED = {'score': 2.0**24, 'boxes': 4.0}
# Unpacked, in bytes: of all of UCF101-24 it takes some hundred million.
LIMIT = 1 << 33


def read_npz_boxes(path: Path, target: Target) -> FrameBoxes:
    """Read a file of boxes.

    Raises:
        ValueError: it is malformed; the message names file, row and value.
    """
    arrays = _read(
        path, ['frame', 'label', 'score', 'boxes'], ['video', 'video_offset']
    )
    where = str(path)
    target = _with_names(arrays, target, path)
    num, offset = len(arrays['boxes']), arrays.pop('video_offset', None)
    if ('video' in arrays) == (offset is not None):
        raise ValueError(f"{where}: expected either 'video' or 'video_offset'")
    if offset is not None:
        lengths = _lengths(offset, len(target.listed), num, where, 'video_offset')
        arrays['video'] = np.repeat(np.arange(len(lengths)), lengths)
    arrays['scores'] = arrays.pop('score')
    rows = as_rows(arrays, where)
    return checked_boxes(rows, target, lambda i: f'{where}: row {i}')


def read_npz_tubes(path: Path, target: Target) -> list[Tube]:
    """Read a file of tubes.

    Raises:
        ValueError: it is malformed; the message names file, tube, box and value.
    """
    arrays = _read(path, ['video', 'label', 'score', 'start', 'box_offset', 'boxes'])
    return tubes_of_arrays(arrays, _with_names(arrays, target, path), str(path))


def read_npz_truth_tubes(path: Path, target: Target) -> list[Tube]:
    """Read the tubes of a ``gt.npz``, whose keys begin with ``tube_``.

    Raises:
        ValueError: it is malformed; the message names file, tube, box and value.
    """
    keys = ('video', 'label', 'start')
    arrays = _read(path, [*(f'tube_{key}' for key in keys), 'box_offset', 'boxes'])
    arrays.update({key: arrays.pop(f'tube_{key}') for key in keys})
    arrays['score'] = np.zeros(arrays['label'].shape)
    return tubes_of_arrays(arrays, target, str(path))


def tubes_of_arrays(
    arrays: dict[str, np.ndarray], target: Target, where: str
) -> list[Tube]:
    """Check the arrays of a file of tubes and cut them into tubes."""
    keys, boxes = ('video', 'label', 'start', 'score'), arrays['boxes']
    num = len(arrays['label']) if arrays['label'].ndim else 0
    for key in keys:
        if arrays[key].dtype.kind not in 'iuf' or arrays[key].shape != (num,):
            raise ValueError(
                f"{where}: expected '{key}' to be numbers of shape ({num},), got "
                f'{arrays[key].dtype} {arrays[key].shape}'
            )
    lengths = _lengths(arrays['box_offset'], num, len(boxes), where, 'box_offset')
    video, label, start, score = (np.repeat(arrays[key], lengths) for key in keys)
    within = np.arange(len(start)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = Rows(video, start.astype(np.float64) + within, label, score, boxes)
    rows = as_rows(rows._asdict(), where)
    return checked_tubes(rows, lengths, target, lambda i: f'{where}: tube {i}')


def _read(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    found = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            size = sum(entry.file_size for entry in file.zip.infolist())
            if size > LIMIT:
                raise ValueError(f'unpacks to {size} bytes, at most {LIMIT} are read')
            for key in [*needed, *optional, 'names']:
                if f'{key}_q' in file and key in QUANTISED:
                    found[key] = np.asarray(file[f'{key}_q'] / QUANTISED[key])
                elif key in file:
                    found[key] = file[key]
            keys = sorted(file)
    except OSError as error:
        if not path.is_file():
            raise
        raise ValueError(f'{path}: not an npz file ({error})') from error
    # A damaged archive may raise nearly anything.
    except Exception as error:
        raise ValueError(f'{path}: not an npz file of numbers ({error})') from error
    for key, array in found.items():
        if not array.ndim:
            raise ValueError(f"{path}: expected many values in '{key}', got one")
    missing = [key for key in needed if key not in found]
    if missing:
        raise ValueError(f'{path}: expected the arrays {missing}, got only {keys}')
    return found


def _with_names(arrays: dict[str, np.ndarray], target: Target, path: Path) -> Target:
    names = arrays.pop('names', None)
    if names is None:
        return target
    if names.ndim != 1 or names.dtype.kind != 'U':
        raise ValueError(
            f"{path}: expected 'names' to be a list of texts, got {names.dtype} "
            f'{names.shape}'
        )
    return target._replace(listed=names.tolist())


def _lengths(
    offset: np.ndarray, num: int, total: int, where: str, key: str
) -> np.ndarray:
    """Lengths of the parts, after checking that they make up the whole."""
    if offset.dtype.kind not in 'iu' or offset.shape != (num + 1,):
        raise ValueError(
            f"{where}: expected '{key}' to be {num + 1} whole numbers for {num} parts, "
            f'got {offset.dtype} {offset.shape}; if these are videos, does the file '
            'count other ones? See --video-list'
        )
    lengths = np.diff(offset.astype(np.int64))
    if offset[0] != 0 or offset[-1] != total or (lengths < 0).any():
        bad = int(np.argmax(lengths < 0)) if (lengths < 0).any() else num
        raise ValueError(
            f"{where}: '{key}' must rise from 0 to the number of boxes, {total}, got "
            f'{offset[bad]} at index {bad}, first {offset[0]}, last {offset[-1]}'
        )
    return lengths
