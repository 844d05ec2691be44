"""Reading frames of a video file: exactly, and with errors that name the file."""

from __future__ import annotations

import os.path as osp
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

# Codecs whose every packet gives one picture. Others hide packets (alternate
# references of VP8) or leave pictures out (XviD), which shifts all that follow.
ONE_PICTURE_A_PACKET = ('h264', 'hevc', 'mjpeg', 'vp9')


class VideoReadError(ValueError):
    """A video file cannot be read or is shorter than annotated."""


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
        filename: Path of the video.
        frame_inds: Frames to read, 0-based, in any order, repeats allowed.
        total_frames: Length the annotation claims. The file may be longer, never
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
    with _opened(filename, num_threads) as container:
        stamps, keys = _time_stamps(container)
        if len(stamps) < total_frames:
            raise VideoReadError(
                f'{filename}: the annotation has {total_frames} frames, the file only '
                f'{len(stamps)}; is it cut, or another version of the video?'
            )
        frames = _decode_from_key_frame(container, stamps, keys, first)
        try:
            return _collect(frames, places)
        except _UnprovenError:
            pass
    with _opened(filename, num_threads) as container:
        try:
            return _collect(enumerate(container.decode(video=0)), places)
        except _UnprovenError as error:
            raise VideoReadError(
                f'{filename}: cannot decode frames {first} to {last}: {error}'
            ) from None


def count_frames(filename: str) -> int:
    """Number of frames that a video file promises; decodes nothing.

    It is the number :func:`read_frames` compares with an annotation. Pictures that the
    file holds but does not show (cut off by an edit list) do not count.

    Raises:
        VideoReadError: If it cannot be opened or has no frame.
    """
    with _opened(filename) as container:
        stamps, _ = _time_stamps(container)
    if not stamps:
        raise VideoReadError(f'{filename}: has no frames')
    return len(stamps)


def iter_frames(filename: str, num_threads: int = 1) -> Iterator[np.ndarray]:
    """Decode a video from the start, one picture at a time.

    Memory does not grow with the length, since PyAV decodes what it is asked for.
    (decord decodes ahead without limit: dmlc/decord issues 157 and 208.)

    Args:
        filename: Path of a video file, or an address that FFmpeg opens.
        num_threads: Threads of the decoder; 0 for as many as there are.

    Yields:
        Pictures ``(h, w, 3)`` uint8 RGB, upright if the file says how.

    Raises:
        VideoReadError: With the name and the reason, if the video cannot be opened,
            has no frame, is damaged, or ends before the number of frames and the
            duration in its header. Frames before a damage have been yielded by then.
            A cut file without number of frames (Matroska, WebM) just ends early.
    """
    from av.error import FFmpegError

    with _opened(filename, num_threads) as container:
        stream, to_rgb = container.streams.video[0], _ToRGB()
        count, last = 0, None
        try:
            for frame in container.decode(stream):
                count, last = count + 1, frame.pts
                yield to_rgb(frame)
        except FFmpegError as error:
            raise VideoReadError(
                f'{filename}: cannot decode beyond frame {count}: {error.strerror}'
            ) from error
        if not count:
            raise VideoReadError(f'{filename}: has no frames')
        if count < stream.frames and _ends_early(stream, last):
            raise VideoReadError(
                f'{filename}: is cut: the header has {stream.frames} frames, the file '
                f'only {count}'
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
def _opened(filename: str, num_threads: int = 1) -> Iterator:
    import av

    if '://' not in filename and not osp.isfile(filename):
        raise VideoReadError(f'{filename}: no such file')
    doing = 'open'
    try:
        try:
            container = av.open(filename)
        except UnicodeDecodeError:  # in a title, which PyAV 19 no longer minds
            container = av.open(filename, metadata_errors='replace')
        with container:
            if not container.streams.video:
                raise VideoReadError(f'{filename}: cannot open: no video stream in it')
            stream = container.streams.video[0]
            # single frames come sooner from one thread; workers are the parallel part
            stream.thread_type = 'NONE' if num_threads == 1 else 'AUTO'
            stream.codec_context.thread_count = num_threads
            doing = 'decode'
            yield container
    except av.error.FFmpegError as error:
        raise VideoReadError(f'{filename}: cannot {doing}: {error.strerror}') from error


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
        _UnprovenError: The pictures end before.
    """
    to_rgb, last, result, index = _ToRGB(), max(places), None, -1
    for index, frame in frames:
        if index in places:
            picture = to_rgb(frame)
            if result is None:
                count = sum(map(len, places.values()))
                result = np.empty((count, *picture.shape), np.uint8)
            result[places[index]] = picture
        if index == last:
            return result
    raise _UnprovenError(f'the pictures end after {index + 1}')


class _ToRGB:
    """Pictures of a decoder as arrays, all of the size and side up of the first."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self.reformatter = VideoReformatter()
        self.size = None

    def __call__(self, frame) -> np.ndarray:
        self.size = self.size or dict(width=frame.width, height=frame.height)
        picture = self.reformatter.reformat(frame, format='rgb24', **self.size)
        # phones store pictures lying on their side; PyAV before 14.1 does not tell
        turned = getattr(frame, 'rotation', 0)
        return np.rot90(picture.to_ndarray(), round(turned / 90) % 4)
