"""What makes a video unreadable, however it is stored."""

from __future__ import annotations

# Twice the pixels of 8K; a picture of so many takes 200 MB.
MAX_PIXELS = 2**26


class VideoReadError(ValueError):
    """A video cannot be read or is shorter than annotated."""


def check_size(name: str, width: int, height: int) -> None:
    """Refuse a picture whose header claims more than ``MAX_PIXELS``.

    Raises:
        VideoReadError: With the name and the size.
    """
    if width * height > MAX_PIXELS:
        raise VideoReadError(
            f'{name}: pictures of {width} x {height} pixels, expected at most '
            f'{MAX_PIXELS} pixels; is the header damaged?'
        )


def check_length(name: str, total_frames: int, found: int) -> None:
    """Refuse a video that is shorter than its annotation says.

    Raises:
        VideoReadError: With the name and both lengths.
    """
    if found < total_frames:
        raise VideoReadError(
            f'{name}: the annotation has {total_frames} frames, the video only '
            f'{found}; is it cut, or another version?'
        )
