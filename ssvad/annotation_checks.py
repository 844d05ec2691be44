"""The rules of the annotation file, format ``ssvad-tubes-1``."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from itertools import chain
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

import numpy as np

# Far beyond any video, but arrays of the size of a video are made of these numbers.
LARGEST = {'width': 1 << 15, 'height': 1 << 15, 'num_frames': 10_000_000}


class Problem(NamedTuple):
    """Something that is wrong with a dataset.

    ``kind`` is a short name to count by; ``message`` names place and value and says
    what was expected; ``video`` is the id of the video, None if there is no single one.
    """

    kind: str
    message: str
    video: str | None = None


def check_annotations(classes: Any, videos: Any, where: str = 'annotations') -> None:
    """Raise a ValueError, beginning with ``where``, on the first broken rule."""
    for problem in annotation_problems(classes, videos):
        raise ValueError(f'{where}: {problem.message}')


def annotation_problems(classes: Any, videos: Any) -> Iterator[Problem]:
    """Find every broken rule; only one of what follows from another.

    Args:
        classes: What should be the list of class names.
        videos: What should be the list of videos.
    """
    listed = isinstance(classes, list) and bool(classes)
    if not listed:
        yield Problem(
            'bad-classes',
            f"'classes' must be a non-empty list of names, got {_short(classes)}",
        )
    names = classes if listed else []
    for name in names:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            yield Problem(
                'bad-classes',
                f"a name in 'classes' must be a printable text, got {_short(name)}",
            )
    for name in sorted({str(n) for n in names if names.count(n) > 1}):
        yield Problem('bad-classes', f"the name '{name}' occurs twice in 'classes'")
    if not isinstance(videos, list):
        message = f"'videos' must be a list, got {type(videos).__name__}"
        yield Problem('bad-entry', message)
        return
    seen: dict[str, int] = {}
    for index, video in enumerate(videos):
        yield from _video_problems(video, len(names) or None, f'video {index}')
        video_id = video.get('id') if isinstance(video, dict) else None
        if not isinstance(video_id, str):
            continue
        if video_id in seen:
            yield Problem(
                'duplicate-id',
                f"video {index}: id '{video_id}' occurs twice, video {seen[video_id]} "
                'has it too; ids must be unique',
                video_id,
            )
        seen.setdefault(video_id, index)


def is_inside_folder(name: Any) -> bool:
    """Whether a file name is relative, with '/', and stays within its folder."""
    # Windows' reading of a path knows drives and both kinds of slashes.
    path = PureWindowsPath(name) if isinstance(name, str) else None
    return (
        path is not None
        and bool(path.parts)
        and not path.anchor
        # pathlib before Python 3.12 takes letters only for drives, Windows all
        and not ntpath.splitdrive(name)[0]
        and '..' not in path.parts
        and '\\' not in name
        and name.isprintable()
    )


def _video_problems(
    video: Any, num_classes: int | None, where: str
) -> Iterator[Problem]:
    if not isinstance(video, dict):
        yield Problem('bad-entry', f'{where}: expected an object, got {_short(video)}')
        return
    video_id = video.get('id')
    named = video_id if isinstance(video_id, str) else None
    # An id must survive being a line of a split list.
    if (
        not isinstance(video_id, str)
        or not video_id
        or video_id != video_id.strip()
        or video_id.startswith('#')
        or not video_id.isprintable()
    ):
        yield Problem(
            'bad-entry',
            f"{where}: 'id' must be a printable text without spaces around it and "
            f"without a leading '#', got {_short(video_id)}",
            named,
        )
    else:
        where = f"{where} '{video_id}'"
    for kind, message in _field_problems(video, num_classes):
        yield Problem(kind, f'{where}: {message}', named)


def _field_problems(video: dict, num_classes: int | None) -> Iterator[tuple[str, str]]:
    folders = {'file': 'video folder', 'masks': 'folder of the masks'}
    for key, folder in folders.items():
        if (key == 'file' or key in video) and not is_inside_folder(video.get(key)):
            yield (
                'bad-path',
                f"'{key}' must be a path relative to the {folder}, with '/' "
                f"and without '..', got {_short(video.get(key))}",
            )
    for key, largest in LARGEST.items():
        value = video.get(key)
        if not _is_int(value) or value < 1:
            yield 'bad-entry', f"'{key}' must be an integer >= 1, got {_short(value)}"
        elif value > largest:
            yield 'bad-entry', f"'{key}' must be at most {largest}, got {value}"
    tubes = video.get('tubes')
    if not isinstance(tubes, list):
        yield (
            'bad-entry',
            "'tubes' must be a list (empty if there is no action), got "
            f'{_short(tubes)}',
        )
        return
    for index, tube in enumerate(tubes):
        for kind, message in _tube_problems(tube, video, num_classes):
            yield kind, f'tube {index}: {message}'


def _tube_problems(
    tube: Any, video: dict, num_classes: int | None
) -> Iterator[tuple[str, str]]:
    if not isinstance(tube, dict):
        yield 'bad-entry', f'expected an object, got {_short(tube)}'
        return
    label, start = tube.get('label'), tube.get('start')
    if not _is_int(label) or not 0 <= label < (num_classes or label + 1):
        span = 'at least 0' if num_classes is None else f'in 0..{num_classes - 1}'
        yield 'bad-label', f"'label' must be an integer {span}, got {_short(label)}"
    if not _is_int(start) or start < 0:
        yield 'bad-entry', f"'start' must be an integer >= 0, got {_short(start)}"
        start = None
    try:
        boxes = _box_array(tube.get('boxes'), start or 0)
    except ValueError as error:
        yield 'bad-entry', str(error)
        return
    length, start = video.get('num_frames'), start or 0
    if _is_int(length) and start + len(boxes) > length:
        yield (
            'tube-outside-video',
            f'frames {start}..{start + len(boxes) - 1} leave the video, which has '
            f'num_frames {length}; cut the tube or correct num_frames',
        )
    size = video.get('width'), video.get('height')
    yield from _box_problems(boxes, start, size if all(map(_is_int, size)) else None)


def _box_problems(
    boxes: np.ndarray, start: int, size: tuple[int, int] | None
) -> Iterator[tuple[str, str]]:
    finite = np.isfinite(boxes).all(1)
    inverted = finite & (boxes[:, :2] > boxes[:, 2:]).any(1)
    empty = finite & ~inverted & (boxes[:, :2] == boxes[:, 2:]).any(1)
    limits = size or (np.inf, np.inf)
    inside = (boxes >= 0).all(1) & (boxes[:, 2:] <= limits).all(1)
    order = 'must have x1 < x2 and y1 < y2'
    width, height = limits
    for kind, bad, rule in (
        ('box-not-finite', ~finite, 'must be finite'),
        ('box-inverted', inverted, order),
        ('box-empty', empty, f'{order}; a box without area is no box'),
        (
            'box-outside-frame',
            finite & ~inverted & ~empty & ~inside,
            f'must lie within the frame of {width} x {height}; clip it',
        ),
    ):
        if bad.any():
            first = int(np.argmax(bad))
            box, more = boxes[first], int(bad.sum()) - 1
            yield (
                kind,
                f'frame {start + first}: box [x1, y1, x2, y2] {rule}'
                f'{_guess(kind, box, limits)}, got {box.tolist()}'
                + (f'; so are {more} more of its boxes' if more else ''),
            )


def _guess(kind: str, box: np.ndarray, limits: tuple[float, float]) -> str:
    """What may have happened, for two mistakes that files in use have."""
    wrapped = box[2:] + 256 * (box[2:] < box[:2])
    if kind == 'box-inverted' and (box < 256).all() and (wrapped <= limits).all():
        return '; did x + width overflow 8 bits? Cast to int before adding'
    over = box[2:] - limits
    if kind == 'box-outside-frame' and (box[:2] >= 1).all() and over.max() == 1:
        return ', or subtract 1 from all if they are counted from 1'
    return ''


def _box_array(boxes: Any, start: int) -> np.ndarray:
    if isinstance(boxes, np.ndarray):
        boxes = boxes.tolist()
    if not isinstance(boxes, list) or not boxes:
        raise ValueError(
            "'boxes' must be a non-empty list of [x1, y1, x2, y2], one for each frame "
            f'from start on, got {_short(boxes)}'
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
                f'frame {start + index}: a box must be four numbers '
                f'[x1, y1, x2, y2], got {_short(box)}'
            )
    raise ValueError('a coordinate is too large for a float')


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f'{text[:197]}...'


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
