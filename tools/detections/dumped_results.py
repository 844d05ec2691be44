"""Predictions that ``tools/test.py --dump`` wrote."""

from __future__ import annotations

import io
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from conversion.plain_pickle import PlainUnpickler


# Instances without attributes, because a pickle can set attributes of functions.
class _MakeHooks:
    """Makes the hooks of a tensor, of which there are none."""

    __slots__ = ()

    def __call__(self) -> OrderedDict:
        return OrderedDict()


class _MakeStorage:
    """Reads the numbers of a tensor."""

    __slots__ = ()

    def __call__(self, raw: bytes) -> Any:
        return torch.load(io.BytesIO(raw), weights_only=True)


class _MakeTensor:
    """Puts numbers into shape."""

    __slots__ = ()

    def __call__(self, storage, offset, size, stride, *_) -> torch.Tensor:
        flat = torch.empty(0, dtype=storage.dtype).set_(storage)
        # torch's own way makes a small storage as large as a pickle says
        if math.prod(size) > len(flat):
            raise ValueError(f'a tensor {tuple(size)} of {len(flat)} numbers')
        return flat.as_strided(size, stride, offset)


TENSORS = {
    ('collections', 'OrderedDict'): _MakeHooks(),
    ('torch.storage', '_load_from_bytes'): _MakeStorage(),
    ('torch._utils', '_rebuild_tensor_v2'): _MakeTensor(),
}


class DumpUnpickler(PlainUnpickler):
    """Builds plain data and tensors, and runs nothing that a pickle names."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of one of the few allowed names."""
        if (module, name) in TENSORS:
            return TENSORS[module, name]
        return super().find_class(module, name)


def read_dump(path: Path) -> list[dict]:
    """Read the samples of a dump.

    Raises:
        ValueError: the file is damaged, or holds something else.
        OSError: it cannot be read.
    """
    with path.open('rb') as file:
        try:
            samples = DumpUnpickler(file).load()
        # a damaged pickle may raise nearly anything
        except Exception as error:
            raise ValueError(
                f'{path}: cannot be read as what tools/test.py --dump writes: {error}'
            ) from error
    if not isinstance(samples, list) or not all(isinstance(s, dict) for s in samples):
        raise ValueError(f'{path}: expected a list of predictions')
    if not samples:
        raise ValueError(f'{path}: holds no predictions')
    return samples
