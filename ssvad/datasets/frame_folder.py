"""A folder of numbered pictures as a video: JHMDB's PNG frames, MMAction's rawframes.

Such a video is named by its folder, or, if the folder holds other series too (optical
flow), by folder and template: ``rawframes/jump/one/img_{:05}.jpg``. Frame 0 is the
picture numbered 0 or 1.
"""

from __future__ import annotations

import io
import os
import os.path as osp
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from .unreadable import MAX_PIXELS, VideoReadError, check_size

PICTURE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.webp')
# what Pillow calls them; it reads many more, some by running other programs
FORMATS = ('BMP', 'JPEG', 'PNG', 'WEBP')
EIGHT_BITS = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA')
NUMBERED = re.compile(r'(.*?)([0-9]+)(\.\w+)')
TEMPLATE = re.compile(r'(.*)\{:[0-9]*d?\}(\.\w+)')


def is_frame(name: str) -> bool:
    """Whether a file name is that of a numbered picture."""
    match = NUMBERED.fullmatch(name)
    return bool(match) and match[3].lower() in PICTURE_SUFFIXES


def folder_of_frames(name: str) -> str | None:
    """The folder, if a video is named by a folder that exists, with template or not."""
    if osp.isdir(name):
        return name
    folder, last = osp.split(name)
    if TEMPLATE.fullmatch(last) and osp.isdir(folder) and not osp.isfile(name):
        return folder
    return None


def list_frames(name: str) -> list[str]:
    """Paths of all frames of a video, in the order of their numbers.

    Only the folder is read, no picture. Files that are no numbered pictures are left
    out, and so is what begins with a dot.

    Args:
        name: Folder, or folder and template.

    Raises:
        VideoReadError: If there are no frames or several series, a number is missing
            or occurs twice, or the first is neither 0 nor 1. With the names.
    """
    folder = folder_of_frames(name)
    series: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for file in os.listdir(folder):
        if is_frame(file) and not file.startswith('.'):
            head, number, tail = NUMBERED.fullmatch(file).groups()
            series.setdefault((head, tail), []).append((int(number), file))
    if folder == name:
        expected = 'pictures named by their number, as img_00001.jpg'
        wanted = list(series)
    else:
        expected = f'pictures named as {osp.basename(name)}'
        wanted = {TEMPLATE.fullmatch(osp.basename(name)).groups()} & set(series)
    if not wanted:
        raise VideoReadError(f'{folder}: no frames: expected {expected}')
    if len(wanted) > 1:
        names = ', '.join(sorted(f'{head}*{tail}' for head, tail in wanted))
        raise VideoReadError(
            f'{folder}: expected the frames of one video, got {names}; name the right '
            "ones by a template (filename_tmpl='img_{:05}.jpg')"
        )
    frames = sorted(series[wanted.pop()])
    _check_numbers(folder, frames)
    return [osp.join(folder, file) for _, file in frames]


def _check_numbers(folder: str, frames: list[tuple[int, str]]) -> None:
    # as if 0 were there when it begins with 1
    before, last = (0 if frames[0][0] else -1), ''
    for number, file in frames:
        if number == before:
            raise VideoReadError(f'{folder}: {last} and {file} are one frame')
        if number != before + 1:
            raise VideoReadError(
                f'{folder}: frames {before + 1} to {number - 1} are missing before '
                f'{file}'
            )
        before, last = number, file


def load_frames(paths: Iterable[str]) -> Iterator[np.ndarray]:
    """Read pictures, one at a time.

    The colours are those that OpenCV and MMAction's ``RawFrameDecode`` give, bit for
    bit; unlike OpenCV, Pillow tells a cut JPEG from a whole one.

    Args:
        paths: Pictures of one size.

    Yields:
        ``(h, w, 3)`` uint8 RGB, upright if the file says how.

    Raises:
        VideoReadError: If one cannot be read, has more than 8 bits a colour, or another
            size than the first. With the name.
    """
    shape, first = None, None
    for path in paths:
        frame = _load(path)
        if shape is None:
            shape, first = frame.shape, path
        if frame.shape != shape:
            sizes = [f'{w} x {h}' for h, w, _ in (frame.shape, shape)]
            raise VideoReadError(
                f'{path}: is {sizes[0]} pixels (width x height), {osp.basename(first)} '
                f'is {sizes[1]}; expected frames of one size'
            )
        yield frame


def _load(path: str) -> np.ndarray:
    from PIL import Image, ImageOps

    # to open a pipe would wait for ever
    if not osp.isfile(path):
        raise VideoReadError(f'{path}: no such file')
    try:
        with open(path, 'rb') as file:
            # Pillow asks for as many bytes as a header says, and gets memory for them
            raw = io.BytesIO(file.read(4 * MAX_PIXELS))
        with Image.open(raw, formats=FORMATS) as image:
            check_size(path, *image.size)
            # of PNG: the checksums, which decoding does not compare
            image.verify()
        raw.seek(0)
        with Image.open(raw, formats=FORMATS) as image:
            if image.mode not in EIGHT_BITS:
                raise VideoReadError(
                    f'{path}: expected 8 bits a colour, got a picture of mode '
                    f'{image.mode}'
                )
            # Pillow 9 cannot do it in place
            return np.array(ImageOps.exif_transpose(image).convert('RGB'))
    except VideoReadError:
        raise
    except (
        *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error),
        Image.DecompressionBombError,
    ) as error:
        raise VideoReadError(f'{path}: cannot read this picture: {error}') from error
