"""How large a MATLAB file of somebody else is, before it is unpacked."""

from __future__ import annotations

import zlib
from pathlib import Path

COMPRESSED = 15


def check_size(path: Path, limit: int) -> None:
    """Refuse other files than MATLAB 5, and compressed ones that would fill the memory.

    Raises:
        ValueError: of another kind, damaged, or of more than ``limit`` bytes, packed or
            unpacked.
    """
    raw = path.read_bytes() if path.stat().st_size <= limit else b''
    if raw[:10] == b'MATLAB 7.3' or raw[1:4] == b'HDF':
        raise ValueError(
            f'{path}: a MATLAB 7.3 (HDF5) file; save it again with save -v7'
        )
    order = {b'IM': 'little', b'MI': 'big'}.get(raw[126:128])
    if raw and order is None:
        raise ValueError(f'{path}: not a MATLAB 5 file')
    position, size = 128, 128
    while raw and position + 8 <= len(raw):
        kind, length = (
            int.from_bytes(raw[at : at + 4], order) for at in (position, position + 4)
        )
        start, position = position + 8, position + 8 + length
        size += length if kind != COMPRESSED else 0
        unpack = zlib.decompressobj()
        rest = raw[start:position] if kind == COMPRESSED else b''
        while rest and size <= limit:
            try:
                size += len(unpack.decompress(rest, 1 << 20))
            except zlib.error as error:
                raise ValueError(f'{path}: damaged: {error}') from error
            rest = unpack.unconsumed_tail
    if not raw or size > limit:
        raise ValueError(f'{path}: holds more than {limit} bytes, or none')
