"""UCF101-24 from MATLAB: ``finalAnnots.mat``, ``trainAnnot.mat``, ``testAnnot.mat``.

A MATLAB 5 file with one variable ``annot``, a 1 x N array of structures with the fields
``name`` (text), ``num_imgs`` (frames of the video) and ``tubes``, a 1 x M array of
structures (or empty) with ``sf`` and ``ef`` (first and last frame, both 1-based and
*inclusive*), ``class`` (1-based) and ``boxes`` (n x 4, as in ``pyannot.pkl``). Numbers
are uint8 or uint16, whichever holds the value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .mat_file import load_variable
from .values import whole

FIELDS = {'name', 'num_imgs', 'tubes'}
TUBE_FIELDS = {'sf', 'ef', 'class', 'boxes'}


def read_mat(path: Path, limit: int = 1 << 28) -> dict[str, dict]:
    """Entries, as of :func:`read_pickle`, of such a file.

    Args:
        path: The file.
        limit: Most bytes it may hold, packed and unpacked.

    Raises:
        ValueError: not such a file, larger than ``limit``, or a video occurs twice.
    """
    table = load_variable(path, 'annot', limit)
    _check_struct(table, FIELDS, f"{path}: variable 'annot'")
    entries: dict[str, dict] = {}
    for index, video in enumerate(table.ravel()):
        name = np.asarray(video['name'])
        name = ''.join(name.ravel()) if name.dtype.kind == 'U' else ''
        name = name if name.isprintable() else ''
        where = f"{path}: video '{name}'" if name else f'{path}: video {index}'
        if not name or name in entries:
            raise ValueError(f'{where}: ' + ('occurs twice' if name else 'has no name'))
        tubes = video['tubes']
        # MATLAB writes an empty structure array as an empty matrix now and then.
        if not isinstance(tubes, np.ndarray) or tubes.size:
            _check_struct(tubes, TUBE_FIELDS, f"{where}: 'tubes'")
        entries[name] = {
            'annotations': [
                _tube(tube, f'{where}: tube {i}')
                for i, tube in enumerate(tubes.ravel())
            ],
            'numf': whole(video['num_imgs'], f"{where}: 'num_imgs'"),
            'file': str(path),
        }
    return entries


def _tube(tube: np.void, where: str) -> dict:
    first, last, label = (
        whole(tube[name], f"{where}: '{name}'") for name in ('sf', 'ef', 'class')
    )
    return {
        'label': label - 1,
        'sf': first - 1,
        'ef': last,
        'boxes': tube['boxes'],
    }


def _check_struct(value: Any, fields: set, where: str) -> None:
    names = set(getattr(getattr(value, 'dtype', None), 'names', None) or ())
    if not fields <= names:
        raise ValueError(
            f'{where}: expected a structure array with the fields {sorted(fields)}, '
            f'got {sorted(names) or type(value).__name__}'
        )
