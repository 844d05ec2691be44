"""Reading a pickle from outside without running anything it asks for.

Not even NumPy's own functions are called with what the pickle says: a data type whose
flags the pickle may set turns numbers into object pointers. The few things such pickles
name are built here from checked parts instead.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from .values import short

MODULES = {
    'numpy.core.multiarray': 'multiarray',
    'numpy._core.multiarray': 'multiarray',
    'numpy.core.numeric': 'numeric',
    'numpy._core.numeric': 'numeric',
}


def _bytes(raw: Any) -> bytes:
    # Python 2 wrote texts, which the reading turned into latin1 characters.
    if isinstance(raw, str):
        return raw.encode('latin1')
    if isinstance(raw, (bytes, bytearray)):
        return bytes(raw)
    raise pickle.UnpicklingError(f'refused array data of type {type(raw).__name__}')


class _PlainType:
    """Stands for a data type of plain numbers or texts while a pickle is read."""

    __slots__ = ('dtype',)

    def __init__(self, code: Any) -> None:
        code = code.decode('latin1') if isinstance(code, bytes) else code
        if not isinstance(code, str) or not re.fullmatch(r'[biufSU]\d{1,4}', code):
            raise pickle.UnpicklingError(f'refused the data type {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, *compound = state[:5]
        order = order.decode('latin1') if isinstance(order, bytes) else order
        if order not in ('<', '>', '=', '|') or compound != [None, None, None]:
            raise pickle.UnpicklingError(f'refused the data type {state!r}')
        # Sizes and flags that follow repeat what the code says; they are not believed.
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray(np.ndarray):
    """An array that takes its content from a pickle only if it is plain data."""

    __slots__ = ()

    def __setstate__(self, state: tuple) -> None:
        """Fill the array in place from (version, shape, data type, order, bytes)."""
        _, shape, plain, fortran, raw = state
        array = _array(raw, plain, shape, 'F' if fortran else 'C')
        super().__setstate__((1, array.shape, array.dtype, False, array.tobytes('C')))


def _array(raw: Any, plain: Any, shape: Any, order: str) -> np.ndarray:
    raw = _bytes(raw)
    if not isinstance(plain, _PlainType):
        raise pickle.UnpicklingError(f'refused the data type {plain!r}')
    if not isinstance(shape, tuple) or not all(
        type(n) is int and n >= 0 for n in shape
    ):
        raise pickle.UnpicklingError(f'refused the shape {shape!r}')
    if math.prod(shape) * plain.dtype.itemsize != len(raw) or not plain.dtype.itemsize:
        raise pickle.UnpicklingError(
            f'refused {len(raw)} bytes as an array {shape} of {plain.dtype}'
        )
    flat = np.frombuffer(raw, plain.dtype) if raw else np.empty(0, plain.dtype)
    return flat.reshape(shape, order='F' if order == 'F' else 'C').copy()


# Instances without attributes, because a pickle can set attributes of functions.
class _MakeType:
    __slots__ = ()

    def __call__(self, code: Any, align: Any = None, copy: Any = None) -> _PlainType:
        return _PlainType(code)


class _MakeArray:
    __slots__ = ()

    def __call__(self, kind: Any, shape: Any, code: Any) -> PlainArray:
        return np.ndarray.__new__(PlainArray, (0,), 'u1')


class _MakeScalar:
    __slots__ = ()

    def __call__(self, plain: Any, raw: Any = b'') -> np.generic:
        return _array(raw, plain, (1,), 'C')[0]


class _MakeFromBuffer:
    __slots__ = ()

    def __call__(self, raw: Any, plain: Any, shape: Any, order: str) -> PlainArray:
        return _array(raw, plain, shape, order).view(PlainArray)


class _MakeBytes:
    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != 'latin1':
            raise pickle.UnpicklingError(f'refused the encoding {encoding!r}')
        return text.encode('latin1')


class _MakeNoBytes:
    __slots__ = ()

    def __call__(self) -> bytes:
        return b''


class _NdarrayName:
    __slots__ = ()


ALLOWED = {
    ('multiarray', 'scalar'): _MakeScalar(),
    ('multiarray', '_reconstruct'): _MakeArray(),
    ('numeric', '_frombuffer'): _MakeFromBuffer(),
    ('numpy', 'dtype'): _MakeType(),
    ('numpy', 'ndarray'): _NdarrayName(),
    # How protocol 2 writes bytes, and no bytes.
    ('_codecs', 'encode'): _MakeBytes(),
    ('__builtin__', 'bytes'): _MakeNoBytes(),
}


# Python's own unpickler, not the one in C: that one reserves and fills as much memory
# as a number in the pickle says, so that 9 bytes could take 32 GB.
class PlainUnpickler(pickle._Unpickler):
    """Unpickler that builds numbers, texts, containers and NumPy arrays of them."""

    def load_bytearray8(self) -> None:
        """Take as many bytes as there are, whatever their number is said to be."""
        size = int.from_bytes(self.read(8), 'little')
        self.append(bytearray(self.read(size)))

    dispatch = {
        **pickle._Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of one of the few allowed names."""
        module = MODULES.get(module, module)
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f'refused to load {module}.{name}')
        return ALLOWED[module, name]


def load_plain(path: Path, limit: int = 1 << 28) -> Any:
    """Read a pickle of any protocol, from Python 2 or 3, any NumPy.

    Args:
        path: The file.
        limit: Largest size in bytes that is opened.

    Raises:
        ValueError: damaged, too large, or it asks for anything but plain data.
    """
    size = path.stat().st_size
    if size > limit:
        raise ValueError(f'{path}: {size} bytes, expected at most {limit}')
    raw = io.BytesIO(path.read_bytes())
    try:
        return PlainUnpickler(raw, encoding='latin1').load()
    # A damaged pickle may raise nearly anything.
    except Exception as error:
        raise ValueError(
            f'{path}: cannot be read as a pickle of plain data: {short(str(error))}'
        ) from error
