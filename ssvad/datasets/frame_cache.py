"""Decoded frames of videos on disk, read by memory map.

A cache is a folder with two files a video: ``<video id>.npy``, the frames
``(F, h, w, 3)`` uint8 RGB as the decoder gives them, and ``<video id>.json``, which
video file they came from. ``tools/cache_frames.py`` writes it.
"""

from __future__ import annotations

import json
import os
import os.path as osp
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

import numpy as np
from mmaction.registry import TRANSFORMS

from .frame_folder import folder_of_frames
from .frame_reader import iter_frames
from .unreadable import VideoReadError
from .video_decode import OpenVideo

FORMAT = 'ssvad-frames-1'


class FrameCacheError(ValueError):
    """A cache lacks a video, or holds another version of it."""


def cache_path(cache_dir: str | os.PathLike, video_id: str) -> Path:
    """Where the frames of a video lie; '/' in the id makes folders.

    Raises:
        FrameCacheError: If the id would lead out of the folder.
    """
    name = PurePosixPath(quote(video_id))
    if name.is_absolute() or not name.parts or '..' in name.parts:
        raise FrameCacheError(
            f'the video id {video_id!r} cannot name a file of a cache; rename the video'
        )
    return Path(cache_dir, f'{name}.npy')


def write_cache(
    cache_dir: str | os.PathLike, video_id: str, filename: str, total_frames: int
) -> None:
    """Decode a video into the cache, frame by frame, all or nothing.

    That a video cannot be read is put down too, so that readers can tell it from one
    that is not cached yet.

    Args:
        cache_dir: Folder of the cache.
        video_id: Name of the video in it.
        filename: Path of the video.
        total_frames: Frames to keep, F; the file may hold more, never less.

    Raises:
        VideoReadError: With the file name and the reason.
    """
    path = cache_path(cache_dir, video_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = path.with_suffix('.json')
    # without its record a video counts as not cached
    record.unlink(missing_ok=True)
    # before decoding: what changes meanwhile is found stale afterwards
    notes = dict(format=FORMAT, source=_stamp(filename), error=None)
    try:
        with _replacing(path) as file:
            _write_frames(file, filename, total_frames)
    except VideoReadError as error:
        notes['error'] = str(error).replace(f'{filename}: ', '', 1)
        _write_notes(record, notes)
        raise
    _write_notes(record, notes)


def read_cache(
    cache_dir: str | os.PathLike, video_id: str, filename: str, total_frames: int
) -> np.ndarray:
    """The frames of a video as a read-only memory map: nothing is read before use.

    Args:
        cache_dir: Folder of the cache.
        video_id: Name of the video in it.
        filename: Path of the video, to see whether it is the one that was decoded.
        total_frames: Length the annotation claims.

    Returns:
        ``(F, h, w, 3)`` uint8 RGB, ``F >= total_frames``.

    Raises:
        FrameCacheError: If the video is not cached, was changed since (size or date of
            the file), or its frames are incomplete.
        VideoReadError: If the video could not be decoded when the cache was made.
    """
    path = cache_path(cache_dir, video_id)
    advice = 'run tools/cache_frames.py on this folder'
    try:
        notes = json.loads(path.with_suffix('.json').read_bytes())
        stamp = _stamp(filename)
        if notes['format'] != FORMAT or notes['source'] != stamp:
            raise FrameCacheError(
                f'{path}: made from another version of {filename}, then '
                f'{_describe(notes["source"])}, now {_describe(stamp)}; {advice} again'
            )
        if notes['error']:
            raise VideoReadError(f'{filename}: {" ".join(notes["error"].split())}')
        # unlike np.load it knows no pickles and no archives
        frames = np.lib.format.open_memmap(path, mode='r')
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
            raise ValueError(f'frames {frames.shape} {frames.dtype}')
        if frames.offset + frames.nbytes != path.stat().st_size:
            raise ValueError(f'its size is not that of frames {frames.shape}')
    except FileNotFoundError:
        raise FrameCacheError(
            f'{cache_dir}: no frames of video {video_id!r} here; {advice}'
        ) from None
    except (FrameCacheError, VideoReadError):
        raise
    # A damaged file may raise nearly anything.
    except Exception as error:
        why = ' '.join(str(error).split())
        raise FrameCacheError(f'{path}: damaged ({why}); {advice} again') from error
    if len(frames) < total_frames:
        raise FrameCacheError(
            f'{path}: holds {len(frames)} frames, the annotation has {total_frames}; '
            f'{advice} again'
        )
    return np.asarray(frames)


def _write_frames(file: BinaryIO, filename: str, total_frames: int) -> None:
    frames = islice(iter_frames(filename), total_frames)
    count = 0
    for count, frame in enumerate(frames, 1):
        if count == 1:
            header = dict(
                descr='|u1', fortran_order=False, shape=(total_frames, *frame.shape)
            )
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(frame))
    if count < total_frames:
        raise VideoReadError(
            f'{filename}: the annotation has {total_frames} frames, only {count} can '
            'be decoded'
        )


def _write_notes(path: Path, notes: dict) -> None:
    with _replacing(path) as file:
        file.write(json.dumps(notes).encode())


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    # in the same folder, because only there the final renaming is atomic
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        with part.open('wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # so that a whole file is whole after a power cut
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _stamp(filename: str) -> dict:
    folder = folder_of_frames(filename)
    if folder:
        with os.scandir(folder) as entries:
            stats = [entry.stat() for entry in entries if entry.is_file()]
    elif osp.isfile(filename):
        stats = [os.stat(filename)]
    else:
        raise VideoReadError(f'{filename}: no such file or folder')
    # whole seconds, because archives and some file systems keep no more
    mtime = max((int(status.st_mtime) for status in stats), default=0)
    return dict(size=sum(status.st_size for status in stats), mtime=mtime)


def _describe(stamp: dict) -> str:
    date = time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(stamp['mtime']))
    return f'{stamp["size"]:d} bytes of {date}'


@TRANSFORMS.register_module()
class OpenFrameCache(OpenVideo):
    """Take the sampled frames from a cache instead of decoding the video.

    Put it in the place of :class:`OpenVideo`: keys and frames (bit for bit) are the
    same, and so is the error for unreadable videos, except that one that is damaged
    anywhere is unreadable as a whole. Only the sampled frames are read and copied;
    the map is opened and closed for every clip, hence workers share nothing but the
    pages of the operating system's cache.

    Required Keys:

        - video_id
        - filename
        - total_frames
        - frame_inds

    Added Keys:

        - video_reader

    Args:
        cache_dir: Folder that ``tools/cache_frames.py`` has filled.

    Raises:
        FrameCacheError: If a video is not cached or was changed since; such a cache
            is never skipped over.
        VideoReadError: If a video could not be decoded.
    """

    def __init__(self, cache_dir: str) -> None:
        super().__init__()
        self.cache_dir = cache_dir

    def read(self, results: dict, frame_inds: np.ndarray) -> np.ndarray:
        """The frames ``(n, h, w, 3)``, copied out of the map."""
        frames = read_cache(
            self.cache_dir,
            results['video_id'],
            results['filename'],
            results['total_frames'],
        )
        return frames[frame_inds]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(cache_dir={self.cache_dir!r})'
