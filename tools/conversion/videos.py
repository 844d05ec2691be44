"""What a converter asks of the videos themselves."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ssvad.annotation_checks import is_inside_folder
from ssvad.datasets.frame_reader import VideoReadError, count_frames, iter_frames

from .findings import Findings

SUFFIXES = {'.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv'}


def video_id(file: str) -> str:
    """Name of a video: its relative path without the extension of a video."""
    path = PurePosixPath(file)
    return str(path.with_suffix('') if path.suffix.lower() in SUFFIXES else path)


def usable_length(
    root: Path,
    file: str,
    size: tuple[int, int],
    num_frames: int | None,
    findings: Findings,
) -> int | None:
    """Frames of a video that can be used, or None if it is not to be used.

    Args:
        root: Folder of the videos.
        file: The video, or the folder of its frames, relative to it.
        size: Width and height that its annotation is about.
        num_frames: Length that its annotation says, or None if it says none.
        findings: Gets why a video is not used, or not as long as annotated.

    Raises:
        ValueError: ``file`` leaves the folder; it is not opened.
    """
    if not is_inside_folder(file):
        raise ValueError(
            f"expected a path relative to {root}, with '/' and without '..', got "
            f'{file!r}'
        )
    path = root / file
    if not path.exists():
        findings.add('videos missing, dropped', path.name)
        return None
    try:
        length = count_frames(str(path))
        height, width = next(iter_frames(str(path))).shape[:2]
    except VideoReadError:
        if num_frames is None:
            findings.add('unreadable videos of unknown length, dropped', path.name)
        else:
            findings.add('unreadable videos, not checked', path.name)
        return num_frames
    if (width, height) != size:
        findings.add('videos of another size, dropped', path.name)
        return None
    if num_frames is None:
        return length
    if length != num_frames:
        findings.add('videos of another length than annotated', path.name)
    return min(length, num_frames)
