"""Reading a video of any length, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from ssvad.datasets.video_decode import VideoReadError


def iterate_frames(filename: str | os.PathLike) -> Iterator[np.ndarray]:
    """Decode a video one frame at a time.

    Memory does not grow with the length: PyAV decodes what it is asked for. decord,
    which reads for training and evaluation, decodes ahead in the background without
    limit, and a consumer as slow as a network finds the whole video in memory in the
    end (dmlc/decord issues 157 and 208). Both give the same pixels for 8-bit video.

    Videos that are stored turned, as phones do, come upright.

    Args:
        filename: Path of a video file, or whatever else FFmpeg opens, e.g. an address.

    Yields:
        Frames ``(h, w, 3)`` uint8 RGB.

    Raises:
        VideoReadError: With the name and the reason, if the video cannot be opened,
            has no frame, is damaged, or ends before the number of frames and the
            duration in its header. Frames before a damage have been yielded by then.
            A cut file without number of frames (Matroska, WebM) just ends early.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'reading videos of any length needs PyAV; install it with `pip install av`'
        ) from error

    name = os.fspath(filename)
    try:
        container = av.open(name)
    except av.FFmpegError as error:
        raise VideoReadError(f'{name}: cannot open: {error.strerror}') from error
    with container:
        if not container.streams.video:
            raise VideoReadError(f'{name}: has no video stream')
        stream = container.streams.video[0]
        stream.thread_type = 'AUTO'
        count, last = 0, None
        try:
            for frame in container.decode(stream):
                count, last = count + 1, frame.pts
                yield _upright(frame)
        except av.FFmpegError as error:
            raise VideoReadError(
                f'{name}: cannot decode beyond frame {count}: {error.strerror}'
            ) from error
        if not count:
            raise VideoReadError(f'{name}: has no frames')
        if count < stream.frames and _ends_early(stream, last):
            raise VideoReadError(
                f'{name}: is cut: the header has {stream.frames} frames, the file only '
                f'{count}'
            )


def _upright(frame) -> np.ndarray:
    image = frame.to_ndarray(format='rgb24')
    # PyAV before 14.1 does not tell
    turned = getattr(frame, 'rotation', 0)
    return np.ascontiguousarray(np.rot90(image, turned // 90)) if turned else image


def _ends_early(stream, last: int | None) -> bool:
    """Whether the last frame is not where the duration says that it should be.

    An edit list may hide frames of a whole file, so that a smaller number of them
    alone means nothing.
    """
    duration, start, last = (t or 0 for t in (stream.duration, stream.start_time, last))
    missing = (start + duration - last) * stream.time_base
    return missing * (stream.average_rate or 25) > 1.5
