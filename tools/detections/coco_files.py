"""Detections in COCO-style JSON files.

A file is a list of detections, or an object with that list as ``annotations`` beside
the tables that the detections refer to. The tables ``videos`` (``id``, ``file_name`` or
``name``), ``images`` (``id``, ``video_id``, ``frame_id``) and ``categories`` (``id``,
``name``) may also stand in a file of their own.

A detection is an object with

* ``score``;
* its class: ``category_id``, whose name in ``categories`` is that of a class of the
  ground truth, or ``label``, the class's number from 0;
* its place: ``image_id``, or ``frame`` and the video: ``video_id``, an ``id`` of
  ``videos``, or ``video``, the id of the ground truth. Tubes need no ``frame``;
* ``bbox`` [x, y, width, height], or, if it is a tube, ``bboxes``: one for each frame of
  the video from the first, null where there is none.

Frames and pixels count from 0 unless the command line says otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conversion.values import short, whole
from conversion.videos import video_id
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tubes import Tube

from .rows import Rows, Target, checked_boxes, checked_tubes


class Tables(NamedTuple):
    """What the numbers in detections refer to.

    Attributes:
        labels: category id -> label.
        videos: video id -> index into the target's list of videos.
        images: image id -> (index of the video, frame).
        number: name of a video -> index into the target's list; grows with it.
    """

    labels: dict
    videos: dict
    images: dict
    number: dict


def read_coco_boxes(
    path: Path, target: Target, tables_path: Path | None = None
) -> FrameBoxes:
    """Read a file of boxes.

    Args:
        path: the file.
        target: what its boxes are compared with.
        tables_path: a JSON file with the tables; None if the file itself has them or
            its detections need none.

    Raises:
        ValueError: it is malformed; the message names file, detection and value.
    """
    items, tables, target = _read(path, target, tables_path)
    rows = []
    for index, item in enumerate(items):
        where = _place(path, index)
        if 'bboxes' in item:
            raise ValueError(f"{where}: has 'bboxes': it is a tube, give it as --tubes")
        if 'image_id' in item:
            video, frame = _look_up(tables.images, item, 'image_id', where, 'images')
        else:
            video = _video(item, tables, target, where)
            frame = _number(_get(item, 'frame', where), f"{where}: 'frame'")
        rows.append(
            (video, frame, *_class_score(item, tables, where), *_bbox(item, where))
        )
    return checked_boxes(_rows(rows), target, lambda i: _place(path, i))


def read_coco_tubes(
    path: Path, target: Target, tables_path: Path | None = None
) -> list[Tube]:
    """Read a file of tubes; see `read_coco_boxes`."""
    items, tables, target = _read(path, target, tables_path)
    rows, lengths = [], []
    for index, item in enumerate(items):
        where = _place(path, index)
        boxes = _get(item, 'bboxes', where)
        if not isinstance(boxes, list):
            raise ValueError(f"{where}: expected a list 'bboxes', got {short(boxes)}")
        whose = _video(item, tables, target, where), *_class_score(item, tables, where)
        begin = len(rows)
        for frame, box in enumerate(boxes, start=target.layout.first_frame):
            if box is not None:
                box = _bbox({'bbox': box}, f'{where}: frame {frame}')
                rows.append((whose[0], frame, *whose[1:], *box))
        lengths.append(len(rows) - begin)
    return checked_tubes(
        _rows(rows), np.array(lengths, int), target, lambda i: _place(path, i)
    )


def _read(
    path: Path, target: Target, tables_path: Path | None
) -> tuple[list[dict], Tables, Target]:
    data = _load(path)
    items = data.get('annotations') if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise ValueError(
            f"{path}: expected a list of detections or an object with 'annotations', "
            f'got {short(data)}'
        )
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise ValueError(f'{_place(path, index)}: expected an object, got {item!r}')
    where, tables = path, data if isinstance(data, dict) else {}
    if tables_path is not None:
        where, tables = tables_path, _load(tables_path)
    # The list grows by the videos of the file that nobody asked for.
    target = target._replace(listed=list(target.listed))
    number = {name: i for i, name in enumerate(target.listed)}
    classes = {name: i for i, name in enumerate(target.classes)}
    labels, videos, images = {}, {}, {}
    for key, item in _table(tables, 'categories', where).items():
        name = _text(item, ('name',), f'{where}: category {key!r}')
        # a class that the ground truth lacks is an error only where it is detected
        labels[key] = classes.get(name, -1)
    for key, item in _table(tables, 'videos', where).items():
        name = _text(item, ('file_name', 'name'), f'{where}: video {key!r}')
        videos[key] = _index(video_id(name), number, target)
    for key, item in _table(tables, 'images', where).items():
        place = f'{where}: image {key!r}'
        frame = item.get('frame_id', item.get('frame_index'))
        video = _look_up(videos, item, 'video_id', place, 'videos')
        images[key] = video, whole(frame, f"{place}: 'frame_id'")
    return items, Tables(labels, videos, images, number), target


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not a JSON text file ({error})') from error


def _table(tables: Any, kind: str, where: Path) -> dict:
    items = tables.get(kind, []) if isinstance(tables, dict) else None
    if not isinstance(items, list):
        raise ValueError(f"{where}: expected an object with a list '{kind}'")
    found: dict = {}
    for index, item in enumerate(items):
        key = item.get('id') if isinstance(item, dict) else None
        if not isinstance(key, (int, str)) or key in found:
            raise ValueError(
                f"{where}: '{kind}' {index}: expected an object with an 'id' of its "
                f'own, got {short(item)}'
            )
        found[key] = item
    return found


def _video(item: dict, tables: Tables, target: Target, where: str) -> int:
    if 'video' in item:
        return _index(_text(item, ('video',), where), tables.number, target)
    return _look_up(tables.videos, item, 'video_id', where, 'videos')


def _index(name: str, number: dict, target: Target) -> int:
    if name not in number:
        number[name] = len(target.listed)
        target.listed.append(name)
    return number[name]


def _text(item: dict, keys: Sequence[str], where: str) -> str:
    found = [item[key] for key in keys if _is_name(item.get(key))]
    if not found:
        raise ValueError(
            f'{where}: expected a text as {" or ".join(map(repr, keys))}, got '
            f'{short({key: item.get(key) for key in keys})}'
        )
    return found[0]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _class_score(item: dict, tables: Tables, where: str) -> tuple[float, float]:
    if 'label' in item:
        label = _number(item['label'], f"{where}: 'label'")
    else:
        label = _look_up(tables.labels, item, 'category_id', where, 'categories')
        if label < 0:
            raise ValueError(
                f"{where}: 'category_id' {item['category_id']} is none of the classes "
                'of the ground truth, by its name'
            )
    return label, _number(_get(item, 'score', where), f"{where}: 'score'")


def _bbox(item: dict, where: str) -> tuple[float, ...]:
    box = _get(item, 'bbox', where)
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(
            f"{where}: 'bbox' must be [x, y, width, height], got {short(box)}"
        )
    x, y, w, h = (
        _number(v, f"{where}: each value of 'bbox' {short(box)}") for v in box
    )
    return x, y, x + w, y + h


def _rows(rows: list) -> Rows:
    table = np.array(rows, np.float64).reshape(-1, 8)
    return Rows(*table[:, :4].T, table[:, 4:])


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or abs(value) > 1e300:
        raise ValueError(f'{what} must be a number, got {short(value)}')
    return value


def _get(item: Mapping, key: str, where: str) -> Any:
    if key not in item:
        raise ValueError(f"{where}: has no '{key}', only {sorted(item)}")
    return item[key]


def _look_up(table: Mapping, item: Mapping, key: str, where: str, kind: str) -> Any:
    value = _get(item, key, where)
    if not isinstance(value, (int, str)) or value not in table:
        raise ValueError(
            f"{where}: '{key}' {short(value)} is none of the {len(table)} '{kind}'; "
            'does the file lack the tables? See --coco-tables'
        )
    return table[value]


def _place(path: Path, index: int) -> str:
    return f'{path}: detection {index}'
