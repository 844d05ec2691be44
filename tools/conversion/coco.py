"""Reading COCO-style video annotations; ``tools/convert_coco.py`` says which keys."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from ssvad.files import read_json

from .findings import Findings
from .tracks import clip_box, number
from .values import short, whole
from .videos import SUFFIXES, video_id

KINDS = ('categories', 'videos', 'images', 'annotations')


def read_coco(
    path: Path, findings: Findings, first_frame: int = 0, video_ext: str = ''
) -> tuple[list[str], list[dict]]:
    """Class names and the videos with their tracks.

    Args:
        path: The JSON file.
        findings: Gets the irregularities.
        first_frame: Number of a video's first frame in the file.
        video_ext: Extension of file names that have none, without a dot.

    Returns:
        Names in the order of the labels, and for every video ``{'id', 'file', 'size':
        (width, height), 'length': int or None, 'last': its last image, -1 if none,
        'tracks': {track: {'label', 'boxes': {frame: box or None}}}}``, frames from 0.

    Raises:
        ValueError: something is missing or malformed; the message names the file, the
            entry and the value.
    """
    where = str(path)
    tables = _load(path)
    try:
        order = sorted(tables['categories'])
    except TypeError as error:
        raise ValueError(
            f"{where}: 'categories' mix numbers and texts as id"
        ) from error
    names = [
        _get(tables['categories'][key], f'{where}: category {key}', 'name')
        for key in order
    ]
    labels = {key: label for label, key in enumerate(order)}
    videos = {
        key: _video(item, f'{where}: video {key}', video_ext)
        for key, item in tables['videos'].items()
    }
    images = {}
    for key, item in tables['images'].items():
        images[key] = _image(item, f'{where}: image {key}', videos, first_frame)
    for key, video in videos.items():
        _check_length(video, f'{where}: video {key}')
    if images and all(frame for _, frame in images.values()):
        findings.add('hint: no video has a frame 0, is 1 the first?', path.name)
    for key, item in tables['annotations'].items():
        _annotation(
            item, f'{where}: annotation {key}', videos, images, labels, findings
        )
    return names, list(videos.values())


def _load(path: Path) -> dict[str, dict[Any, dict]]:
    data = read_json(path)
    tables: dict[str, dict[Any, dict]] = {}
    for kind in KINDS:
        items = data.get(kind) if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise ValueError(
                f"{path}: expected an object with a list '{kind}', got {short(items)}"
            )
        tables[kind] = {}
        for index, item in enumerate(items):
            key = item.get('id') if isinstance(item, dict) else None
            if not isinstance(key, (int, str)) or key in tables[kind]:
                raise ValueError(
                    f"{path}: '{kind}' {index}: expected an object with an 'id' of its "
                    f'own, got {short(item)}'
                )
            tables[kind][key] = item
    return tables


def _video(item: dict, where: str, video_ext: str) -> dict:
    file = _get(item, where, 'file_name', 'name')
    if not isinstance(file, str) or not file.isprintable():
        raise ValueError(f'{where}: expected a file name, got {short(file)}')
    if video_ext and PurePosixPath(file).suffix.lower() not in SUFFIXES:
        file = f'{file}.{video_ext}'
    length = _get(item, where, 'length', 'num_frames', default=None)
    return {
        'id': video_id(file),
        'file': file,
        'size': _size(item, where),
        'length': None if length is None else whole(length, f'{where}: its length'),
        'last': -1,
        'tracks': {},
        'taken': {},
    }


def _size(item: dict, where: str) -> tuple[int, ...]:
    values = [item.get(key) for key in ('width', 'height')]
    if values == [None, None]:
        return ()
    return tuple(whole(value, f'{where}: width and height') for value in values)


def _image(item: dict, where: str, videos: dict, first: int) -> tuple[dict, int]:
    video = _one_of(videos, item, 'video_id', where)
    index = whole(_get(item, where, 'frame_id', 'frame_index'), f'{where}: its frame')
    where = f"{where}: video '{video['id']}': frame {index}"
    if index < first:
        raise ValueError(f'{where}: the first frame is {first}')
    if video['taken'].setdefault(index, item['id']) != item['id']:
        raise ValueError(f'{where}: image {video["taken"][index]} has it already')
    size = _size(item, where)
    video['size'] = video['size'] or size
    if size and size != video['size']:
        raise ValueError(
            f'{where}: width and height {size}, expected {video["size"]} as elsewhere '
            'in the video'
        )
    video['last'] = max(video['last'], index - first)
    return video, index - first


def _check_length(video: dict, where: str) -> None:
    del video['taken']
    if not video['size']:
        raise ValueError(f"{where} '{video['id']}': nothing tells its width and height")
    if video['length'] is not None and video['last'] >= video['length']:
        raise ValueError(
            f"{where} '{video['id']}': its length is {video['length']}, but it has an "
            f'image at frame {video["last"]}, counted from 0; if the file counts '
            'from 1, give --first-frame 1'
        )


def _annotation(
    item: dict, where: str, videos: dict, images: dict, labels: dict, findings: Findings
) -> None:
    """Check an annotation and put its box into its video."""
    if 'bboxes' in item:
        raise ValueError(
            f"{where}: has 'bboxes', as YouTube-VIS files have; expected one "
            "annotation with a 'bbox' for each image"
        )
    video, frame = _one_of(images, item, 'image_id', where)
    if item.get('video_id') is not None:
        if _one_of(videos, item, 'video_id', where) is not video:
            raise ValueError(
                f"{where}: 'video_id' {item['video_id']}, but its image "
                f"{item['image_id']} belongs to '{video['id']}'"
            )
    if item.get('iscrowd'):
        findings.add('crowd annotations, left out', video['id'])
        return
    track = _get(item, where, 'instance_id', 'track_id')
    if not isinstance(track, (int, str)):
        raise ValueError(f'{where}: expected a number as track, got {short(track)}')
    where = f"{where}: video '{video['id']}': track {track}: frame {frame}"
    label = _one_of(labels, item, 'category_id', where)
    found = video['tracks'].setdefault(track, {'label': label, 'boxes': {}})
    if found['label'] != label:
        raise ValueError(
            f"{where}: 'category_id' {item['category_id']}, but the track began with "
            'another; a track has one'
        )
    if frame in found['boxes']:
        raise ValueError(f'{where}: the track has two boxes on this frame')
    box = _get(item, where, 'bbox')
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(
            f"{where}: 'bbox' must be [x, y, width, height], got {short(box)}"
        )
    x, y, w, h = (number(v, f"{where}: each value of 'bbox' {short(box)}") for v in box)
    box, place = [x, y, x + w, y + h], f'{video["id"]}[{track}]'
    found['boxes'][frame] = clip_box(box, video['size'], where, place, findings)


def _get(item: dict, where: str, *keys: str, **default: Any) -> Any:
    """The value of whichever key is there; several must agree."""
    found = [item[key] for key in keys if item.get(key) is not None]
    if not found and default:
        return default['default']
    if not found or any(value != found[0] for value in found):
        raise ValueError(
            f'{where}: expected one value of {" or ".join(map(repr, keys))}, got '
            f'{short({key: item.get(key) for key in keys})}'
        )
    return found[0]


def _one_of(table: dict, item: dict, key: str, where: str) -> Any:
    value = item.get(key)
    if not isinstance(value, (int, str)) or value not in table:
        raise ValueError(f"{where}: '{key}' {short(value)} does not exist")
    return table[value]
