"""Writing small videos that every common reader decodes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

# x264's macroblock tree reads memory it never set when a frame is small: with it, equal
# frames gave different bytes from run to run.
X264_PARAMS = 'threads=1:scenecut=0:mbtree=0:bframes=0'


def write_video(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    fps: float = 25,
    crf: int = 18,
) -> None:
    """Write an H.264 mp4 (yuv420p, key frame every 12), all or nothing.

    The encoder runs on one thread, so the same frames give the same bytes.

    Args:
        path: Where to write; an existing file is replaced when the new one is whole.
        frames: (F, H, W, 3) uint8 RGB, or an iterable of (H, W, 3); H and W even.
        fps: Frames per second.
        crf: Quality of x264, 0 (lossless) to 51.

    Raises:
        ImportError: PyAV is not installed.
        ValueError: no frame, odd or changing size, wrong shape or type.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'writing videos needs PyAV; install it with `pip install av`'
        ) from error

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because only there the final renaming is atomic.
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    # Without bitexact the file would name the muxer's version.
    options = {'fflags': '+bitexact'}
    try:
        with av.open(
            str(part), 'w', format='mp4', container_options=options
        ) as container:
            _encode(container, frames, Fraction(fps).limit_denominator(65535), crf)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _encode(container, frames: Iterable[np.ndarray], fps: Fraction, crf: int) -> None:
    from av import VideoFrame

    stream, shape = None, None
    for index, frame in enumerate(frames):
        frame = np.ascontiguousarray(frame)
        if stream is None:
            shape = _check_first(frame)
            stream = container.add_stream('libx264', rate=fps)
            stream.height, stream.width = shape[:2]
            stream.pix_fmt = 'yuv420p'
            stream.gop_size = 12
            stream.codec_context.thread_count = 1
            stream.options = {'crf': str(crf), 'x264-params': X264_PARAMS}
        if frame.shape != shape or frame.dtype != np.uint8:
            raise ValueError(
                f'frame {index}: expected shape {shape} uint8 as frame 0, got '
                f'{frame.shape} {frame.dtype}'
            )
        container.mux(stream.encode(VideoFrame.from_ndarray(frame, format='rgb24')))
    if stream is None:
        raise ValueError('expected at least one frame, got none')
    container.mux(stream.encode(None))


def _check_first(frame: np.ndarray) -> tuple[int, int, int]:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(
            f'frame 0: expected (H, W, 3) uint8, got {frame.shape} {frame.dtype}'
        )
    height, width = frame.shape[:2]
    if height % 2 or width % 2 or not height or not width:
        raise ValueError(
            f'frame 0: yuv420p needs even sides, got {width} x {height}; crop or pad '
            'by one pixel'
        )
    return frame.shape
