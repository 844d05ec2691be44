"""Reading text files that somebody else wrote, and writing files all or nothing."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

# All of UCF101-24 takes 10 MB; reading a file takes some ten times its size.
MAX_BYTES = 1 << 29


def read_text(path: str | os.PathLike) -> str:
    """Read a text file.

    Raises:
        ValueError: it is larger than ``MAX_BYTES`` or not UTF-8.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f'{path}: {size} bytes, expected at most {MAX_BYTES}; divide it into '
            'several files'
        )
    try:
        return path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a UTF-8 text file ({error})') from error


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: as for :func:`read_text`, or it is not JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not a JSON text file ({error})') from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a UTF-8 text file; an existing one is replaced when the new is whole."""
    write_bytes(path, text.encode('utf-8'))


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file; an existing one is replaced when the new one is whole on disk."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because only there the final renaming is atomic.
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with open(part, 'wb') as file:
            file.write(content)
            file.flush()
            # Or the name might reach the disk before the content does.
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: str | os.PathLike, pattern: str) -> list[Path]:
    """Remove what processes that were killed have left of files they were writing.

    Args:
        folder: where the files were to be.
        pattern: of their names, e.g. ``'*.pth'``.

    Returns:
        The paths removed.
    """
    parts = sorted(Path(folder).glob(f'.{pattern}.*.part'))
    for part in parts:
        part.unlink(missing_ok=True)
    return parts


def check_sums(path: str | os.PathLike) -> None:
    """Compare the checksums of a zip archive; other files pass.

    For checkpoints: torch reads them without looking at their checksums.

    Raises:
        OSError: the file cannot be opened.
        zipfile.BadZipFile: the archive is cut off or altered, or compressed.
    """
    with open(path, 'rb') as file:
        if file.read(2) == b'PK':
            with zipfile.ZipFile(file) as archive:
                for entry in archive.infolist():
                    # A thousand times as much would fit in the file.
                    if entry.compress_type != zipfile.ZIP_STORED:
                        raise zipfile.BadZipFile(
                            f'{entry.filename} is compressed, which torch never does'
                        )
                bad = archive.testzip()
            if bad is not None:
                raise zipfile.BadZipFile(f'wrong checksum of {bad}')
