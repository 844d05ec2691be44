"""What users name when they mean videos: files, folders, patterns, arrays, cameras."""

from __future__ import annotations

import glob
import os
import os.path as osp
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Callable, NamedTuple, Union

import cv2
import numpy as np

from ssvad.datasets.frame_folder import folder_of_frames, is_frame
from ssvad.datasets.frame_reader import iter_frames, open_video
from ssvad.datasets.unreadable import VideoReadError
from ssvad.datasets.video_folder import VIDEO_SUFFIXES, find_videos

DEFAULT_FPS = 25.0

Input = Union[str, os.PathLike, int, np.ndarray]


class VideoSource(NamedTuple):
    """A video that can be read frame by frame.

    Attributes:
        video: what the user called it.
        name: relative path without suffix, for the files that are written about it.
        open: gives an iterator over frames (h, w, 3) uint8 RGB.
        fps: frames per second.
        length: expected number of frames, for a progress bar; None if unknown.
        live: whether the frames come once only.
    """

    video: str
    name: str
    open: Callable[[], Iterator[np.ndarray]]
    fps: float
    length: int | None = None
    live: bool = False


def find_sources(inputs: Input | Sequence[Input]) -> list[VideoSource]:
    """Look up what was meant; no video is decoded.

    Args:
        inputs: a video file or an address that FFmpeg opens; a folder with the
            numbered pictures of a video, or with all videos in it and below; a pattern
            with ``*``, ``?`` or ``[]``; the number of a camera; an array (F, h, w, 3)
            uint8 RGB; or a list of such.

    Returns:
        At least one source; their names differ.

    Raises:
        ValueError: if a folder or pattern holds no video, or an array has another form.
        VideoReadError: if there is no such file.
        TypeError: for anything else.
    """
    if not isinstance(inputs, (list, tuple)):
        inputs = [inputs]
    found = [source for item in inputs for source in _find(item)]
    if not found:
        raise ValueError('expected at least one video, got an empty list')
    taken: set[str] = set()
    return [source._replace(name=_unused(source.name, taken)) for source in found]


def _find(item: Input) -> list[VideoSource]:
    if isinstance(item, np.ndarray):
        return [_array(item)]
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return [_camera(int(item))]
    if not isinstance(item, (str, os.PathLike)):
        raise TypeError(
            'a video is a path, a pattern, a folder, the number of a camera or an '
            f'array (F, h, w, 3), got {type(item).__name__}'
        )
    path = os.fspath(item)
    if osp.isdir(path):
        return _folder(path)
    # a file may be called like a pattern
    if '://' in path or osp.exists(path):
        return [_file(path, Path(path).stem)]
    frames = folder_of_frames(path)
    if frames:
        return [_file(path, Path(osp.abspath(frames)).name)]
    if not glob.has_magic(path):
        raise VideoReadError(f'{path}: no such file or folder')
    matches = sorted(
        match
        for match in glob.glob(path, recursive=True)
        if match.lower().endswith(VIDEO_SUFFIXES)
    )
    if not matches:
        raise ValueError(
            f'{path!r}: the pattern matches no video, looked for '
            f'{", ".join(VIDEO_SUFFIXES)} in {os.getcwd()}'
        )
    return [_file(match, Path(match).stem) for match in matches]


def _unused(name: str, taken: set[str]) -> str:
    number, unused = 1, name
    while unused in taken:
        number += 1
        unused = f'{name}_{number}'
    taken.add(unused)
    return unused


def _file(path: str, name: str) -> VideoSource:
    fps, length = _header(path)
    return VideoSource(path, name, lambda: iter_frames(path, 0), fps, length)


def _header(path: str) -> tuple[float, int | None]:
    """Frames per second and number of frames, as far as the file says so."""
    try:
        with open_video(path) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            return float(rate or DEFAULT_FPS), stream.frames or None
    except VideoReadError:
        # who reads the frames says better what is wrong
        return DEFAULT_FPS, None


def _folder(folder: str) -> list[VideoSource]:
    entries = [e for e in os.scandir(folder) if not e.name.startswith('.')]
    others = (e.is_dir() or e.name.lower().endswith(VIDEO_SUFFIXES) for e in entries)
    if any(is_frame(entry.name) for entry in entries) and not any(others):
        return [_file(folder, Path(osp.abspath(folder)).name)]
    return [_file(path, name) for name, path in find_videos(folder).items()]


def _array(frames: np.ndarray) -> VideoSource:
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(
            f'expected frames (F, h, w, 3) uint8 RGB, got an array {frames.shape} '
            f'{frames.dtype}'
        )
    return VideoSource('array', 'array', lambda: iter(frames), DEFAULT_FPS, len(frames))


def _camera(index: int) -> VideoSource:
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        capture.release()
        raise VideoReadError(f'camera {index}: cannot be opened; is it connected?')
    fps = capture.get(cv2.CAP_PROP_FPS)
    # drivers that do not know say 0, -1 or NaN
    fps = fps if 0 < fps < 1000 else DEFAULT_FPS
    name = f'camera_{index}'
    return VideoSource(name, name, lambda: _read_camera(capture), fps, live=True)


def _read_camera(capture) -> Iterator[np.ndarray]:
    try:
        while True:
            came, frame = capture.read()
            if not came:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
