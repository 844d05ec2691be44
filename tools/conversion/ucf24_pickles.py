"""UCF101-24 from pickles: ``pyannot.pkl`` and the split pickles of the released code.

``pyannot.pkl`` is ``{video: {'annotations': [{'label', 'sf', 'ef', 'boxes'}], 'numf',
'label'}}``: ``sf`` 0-based, ``ef`` exclusive, ``label`` 0-based, ``boxes`` (n, 4) in
uint8 or uint16, ``numf`` the number of frames in one of these types.

A split pickle (``train_annots_20_labeled.pkl``, ``testing_annots.pkl``, ...) is
``[(video, [(start, end, label, boxes, annotated frames, labelled flag), ...]), ...]``,
each pair and each annotation a list or a tuple: ``start`` 0-based, ``end`` 0-based and
*inclusive*, ``boxes`` (end - start + 1, 4) as above in any integer type. The flag (1 or
0) is missing in some test pickles. The annotated frames, a choice of frames around
which the released code draws its clips, are checked and not kept: every frame has its
box. There is no number of frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .plain_pickle import load_plain
from .values import short, whole


def read_pickle(path: Path) -> dict[str, dict]:
    """Read either kind of pickle without running anything it names.

    Returns:
        ``{video: {'annotations': [{'label', 'sf', 'ef', 'boxes'}], 'numf', 'file'}}``
        as in ``pyannot.pkl``, values unchecked; ``numf`` is None and there is a key
        ``labeled`` (True, False or None) where the file is a split pickle.

    Raises:
        ValueError: neither kind, or it asks for anything but NumPy data.
    """
    data = load_plain(path)
    return (
        read_split_items(path, data) if isinstance(data, list) else _pyannot(path, data)
    )


def _pyannot(path: Path, data: Any) -> dict[str, dict]:
    keys = {'annotations', 'numf'}, {'label', 'sf', 'ef', 'boxes'}
    entries = {}
    try:
        for name, entry in data.items():
            parts = [(entry, keys[0]), *((t, keys[1]) for t in entry['annotations'])]
            if any(not needed <= part.keys() for part, needed in parts):
                raise KeyError(name)
            entries[_text(name)] = {**entry, 'file': str(path)}
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: expected {{video: entry}} with the keys {keys[0]}, each of its '
            f'annotations with {keys[1]}; broken at {short(error)}'
        ) from error
    if len(entries) < len(data):
        raise ValueError(f'{path}: a video name occurs twice')
    return entries


def read_split_items(path: Path, items: list) -> dict[str, dict]:
    """Entries, as of :func:`read_pickle`, of a split pickle's list."""
    entries: dict[str, dict] = {}
    for index, item in enumerate(items):
        if not _is_row(item, 2) or not _is_row(item[1]) or not _text(item[0]):
            raise ValueError(
                f'{path}: item {index}: expected (video, [annotation, ...]), got '
                f'{short(item)}'
            )
        name, rows = _text(item[0]), item[1]
        where = f"{path}: video '{name}'"
        if name in entries:
            raise ValueError(f'{where}: stands in the list twice')
        flags = set()
        annotations = []
        for number, row in enumerate(rows):
            annotations.append(_split_row(row, flags, f'{where}: tube {number}'))
        if len(flags) > 1:
            raise ValueError(
                f'{where}: expected one labelled flag for all its tubes, got both'
            )
        entries[name] = {
            'annotations': annotations,
            'numf': None,
            'file': str(path),
            'labeled': flags.pop() if flags else None,
        }
    return entries


def _split_row(row: Any, flags: set, where: str) -> dict:
    if not (_is_row(row, 5) or _is_row(row, 6)):
        raise ValueError(
            f'{where}: expected (start, end, label, boxes, annotated frames, labelled '
            f'flag) or the same without the flag, got {short(row)}'
        )
    start, end, label, boxes, frames, *flag = row
    if not _is_row(frames):
        raise ValueError(
            f'{where}: expected a list of annotated frames, got {short(frames)}'
        )
    if flag:
        labeled = whole(flag[0], f'{where}: the labelled flag')
        if labeled not in (0, 1):
            raise ValueError(
                f'{where}: the labelled flag must be 0 or 1, got {labeled}'
            )
        flags.add(bool(labeled))
    # NumPy's small integers would wrap at + 1.
    stop = whole(end, f'{where}: the end') + 1
    return {'label': label, 'sf': start, 'ef': stop, 'boxes': boxes}


def _is_row(value: Any, length: int | None = None) -> bool:
    # A NumPy array is no row: comparing it would compare its elements.
    fits = isinstance(value, (list, tuple))
    return fits and (length is None or len(value) == length)


def _text(name: Any) -> str:
    if isinstance(name, bytes):
        name = name.decode('latin1')
    return str(name) if isinstance(name, str) and name.isprintable() else ''
