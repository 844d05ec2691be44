"""Reading frames of a video: exactly, and with errors that name the file.

A video is a file, or a folder of numbered pictures (``ssvad.datasets.frame_folder``).
"""

from __future__ import annotations

import errno
import os.path as osp
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from . import unreadable
from .frame_folder import folder_of_frames, list_frames, load_frames
from .to_rgb import ToRGB
from .unreadable import VideoReadError, check_length, check_size

# Codecs whose every packet gives one picture. Others hide packets (alternate
# references of VP8) or leave pictures out (XviD), which shifts all that follow.
ONE_PICTURE_A_PACKET = ('h264', 'hevc', 'mjpeg', 'vp9')


class _UnprovenError(Exception):
    """What followed a seek is not what the time stamps promised."""


def read_frames(
    filename: str, frame_inds: np.ndarray, total_frames: int, num_threads: int = 1
) -> np.ndarray:
    """Decode some frames of a video.

    Frame ``n`` is the ``n``-th picture that decoding from the start gives, whatever
    the container says. Decoding begins at the last key frame before the first frame
    asked for, if it is certain that this is the same: every packet gives one picture
    (``ONE_PICTURE_A_PACKET``) and has its own time stamp, and from the key frame on
    the decoder gives all that are due, in order. Otherwise (XviD, MPEG-2, intra
    refresh, ...) it begins at the start of the file. Seeking by the number of a packet,
    as decord 0.6 does, is off by the number of B frames that are stored after a key
    frame and shown before it.

    Args:
        filename: Path of the video; of a folder of frames, only those that are asked
            for are opened.
        frame_inds: Frames to read, 0-based, in any order, repeats allowed.
        total_frames: Length the annotation claims. The video may be longer, never
            shorter.
        num_threads: Threads of the decoder.

    Returns:
        ``(len(frame_inds), h, w, 3)`` uint8 RGB, upright if the file says how.

    Raises:
        VideoReadError: With the file name and the reason.
    """
    places: dict[int, list[int]] = {}
    for place, index in enumerate(np.asarray(frame_inds).tolist()):
        places.setdefault(index, []).append(place)
    first, last = min(places), max(places)
    if first < 0:
        raise ValueError(f'{filename}: frames count from 0, got {first}')
    if folder_of_frames(filename):
        return _read_folder(filename, frame_inds, total_frames)
    with open_video(filename, num_threads) as container:
        stamps, keys = _time_stamps(container)
        check_length(filename, total_frames, len(stamps))
        frames = _decode_from_key_frame(container, stamps, keys, first)
        try:
            return _collect(frames, places)
        except _UnprovenError:
            pass
    with open_video(filename, num_threads) as container:
        try:
            return _collect(enumerate(container.decode(video=0)), places)
        except _UnprovenError as error:
            raise VideoReadError(
                f'{filename}: cannot decode frames {first} to {last}: {error}'
            ) from None


def _read_folder(
    filename: str, frame_inds: np.ndarray, total_frames: int
) -> np.ndarray:
    paths = list_frames(filename)
    check_length(filename, total_frames, len(paths))
    wanted, places = np.unique(frame_inds, return_inverse=True)
    if wanted[-1] >= len(paths):
        raise VideoReadError(
            f'{filename}: cannot read frame {wanted[-1]}: they end after {len(paths)}'
        )
    return np.stack(list(load_frames(paths[index] for index in wanted)))[places]


def count_frames(filename: str) -> int:
    """Number of frames that a video promises; decodes nothing.

    It is the number :func:`read_frames` compares with an annotation: the pictures that
    a file holds, whatever its header says, or those of a folder. Pictures that a file
    holds but does not show (cut off by an edit list) do not count.

    Raises:
        VideoReadError: If it cannot be opened or has no frame.
    """
    if folder_of_frames(filename):
        return len(list_frames(filename))
    with open_video(filename) as container:
        stamps, _ = _time_stamps(container)
    if not stamps:
        raise VideoReadError(f'{filename}: has no frames')
    return len(stamps)


def iter_frames(filename: str, num_threads: int = 1) -> Iterator[np.ndarray]:
    """Decode a video from the start, one picture at a time.

    Memory does not grow with the length, since PyAV decodes what it is asked for.
    (decord decodes ahead without limit: dmlc/decord issues 157 and 208.)

    Args:
        filename: Path of a video, or an address that FFmpeg opens.
        num_threads: Threads of the decoder; 0 for as many as there are.

    Yields:
        Pictures ``(h, w, 3)`` uint8 RGB, upright if the file says how.

    Raises:
        VideoReadError: With the name and the reason, if the video cannot be opened,
            has no frame, is damaged, or ends before the number of frames in its index
            and its duration. Frames before a damage have been yielded by then. A cut
            file that has no index (Matroska, WebM, AVI) just ends early.
    """
    from av.error import FFmpegError

    if folder_of_frames(filename):
        yield from load_frames(list_frames(filename))
        return
    with open_video(filename, num_threads) as container:
        stream, to_rgb = container.streams.video[0], ToRGB()
        count, last, damaged = 0, None, True
        try:
            for frame in container.decode(stream):
                count, last = count + 1, frame.pts
                damaged = damaged and frame.is_corrupt
                yield to_rgb(frame)
        except FFmpegError as error:
            raise VideoReadError(
                f'{filename}: cannot decode beyond frame {count}: {_reason(error)}'
            ) from error
        if not count:
            raise VideoReadError(f'{filename}: has no frames')
        if damaged:
            raise VideoReadError(f'{filename}: all its frames are damaged')
        # of others (AVI) it is a number in the header, which may be anything
        indexed = stream.frames if 'mp4' in container.format.name else 0
        if count < indexed and _ends_early(stream, last):
            raise VideoReadError(
                f'{filename}: is cut: the header has {indexed} frames, the file only '
                f'{count}'
            )


def _ends_early(stream, last: int | None) -> bool:
    """Whether the last frame is not where the duration says that it should be.

    An edit list may hide frames of a whole file, so that a smaller number of them
    alone means nothing.
    """
    duration, start, last = (t or 0 for t in (stream.duration, stream.start_time, last))
    missing = (start + duration - last) * stream.time_base
    return missing * (stream.average_rate or 25) > 1.5


@contextmanager
def open_video(filename: str, num_threads: int = 1) -> Iterator:
    """Open the container of a video whose first stream is ready to be decoded.

    Args:
        filename: Path of a video, or an address that FFmpeg opens.
        num_threads: Threads of the decoder; 0 for as many as there are.

    Raises:
        VideoReadError: With the name and the reason, if it cannot be opened, or if
            FFmpeg fails while it is read.
    """
    import av

    if '://' not in filename and not osp.isfile(filename):
        raise VideoReadError(f'{filename}: no such file or folder')
    # while it looks for streams too, FFmpeg decodes
    limit = dict(max_pixels=str(unreadable.MAX_PIXELS))
    doing = 'open'
    try:
        try:
            container = av.open(filename, options=limit)
        except UnicodeDecodeError:  # in a title, which PyAV 19 no longer minds
            container = av.open(filename, options=limit, metadata_errors='replace')
        with container:
            if not container.streams.video:
                raise VideoReadError(f'{filename}: cannot open: no video stream in it')
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise VideoReadError(f'{filename}: cannot decode: unknown codec')
            # single frames come sooner from one thread; workers are the parallel part
            stream.thread_type = 'NONE' if num_threads == 1 else 'AUTO'
            stream.codec_context.thread_count = num_threads
            check_size(filename, stream.width, stream.height)
            stream.codec_context.options = limit
            doing = 'decode'
            yield container
    except av.error.FFmpegError as error:
        raise VideoReadError(f'{filename}: cannot {doing}: {_reason(error)}') from error


def _reason(error) -> str:
    # all that decoders say about a gigantic picture
    if error.errno in (errno.EINVAL, errno.ENOMEM):
        limit = f'or a picture of more than {unreadable.MAX_PIXELS} pixels'
        return f'{error.strerror}, {limit}'
    return error.strerror


def _time_stamps(container) -> tuple[list, list]:
    """When the picture of each packet is shown, and those of the key frames."""
    packets = [
        (packet.pts, packet.is_keyframe)
        for packet in container.demux(video=0)
        if packet.size and not packet.is_discard
    ]
    return [pts for pts, _ in packets], [pts for pts, is_key in packets if is_key]


def _decode_from_key_frame(
    container, stamps: list, keys: list, first: int
) -> Iterator[tuple]:
    """Yield numbered pictures from the last key frame that is not after ``first``.

    Raises:
        _UnprovenError: The number of a picture is not certain.
    """
    from av.error import FFmpegError

    stream = container.streams.video[0]
    if stream.codec_context.name not in ONE_PICTURE_A_PACKET:
        raise _UnprovenError
    if first >= len(stamps) or None in stamps:
        raise _UnprovenError
    stamps, keys = sorted(stamps), sorted(keys)
    # what is shown before the first key frame may never come
    if keys[:1] != stamps[:1]:
        raise _UnprovenError
    key = keys[bisect_right(keys, stamps[first]) - 1]
    due = bisect_left(stamps, key)
    try:
        container.seek(key, stream=stream)
        for frame in container.decode(stream):
            if stamps[due : due + 1] != [frame.pts]:
                raise _UnprovenError
            yield due, frame
            due += 1
    except FFmpegError as error:
        raise _UnprovenError from error


def _collect(frames: Iterable[tuple], places: dict[int, list[int]]) -> np.ndarray:
    """Put pictures into their places; stop after the last one that is wanted.

    Raises:
        _UnprovenError: The pictures end before, or the decoder made all of them up (it
            gives one grey picture for the first bytes of a stream).
    """
    to_rgb, last, result, index = ToRGB(), max(places), None, -1
    damaged = True
    for index, frame in frames:
        if index in places:
            damaged = damaged and frame.is_corrupt
            picture = to_rgb(frame)
            if result is None:
                count = sum(map(len, places.values()))
                result = np.empty((count, *picture.shape), np.uint8)
            result[places[index]] = picture
        if index == last:
            if damaged:
                raise _UnprovenError('all of them are damaged')
            return result
    raise _UnprovenError(f'the pictures end after {index + 1}')
