"""The sampled frames of a video file for MMAction's ``DecordDecode``."""

from __future__ import annotations

import logging

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from .frame_reader import VideoReadError, read_frames


class DecodedFrames:
    """Frames already read, behind the two calls ``DecordDecode`` makes.

    Unlike decord's reader it can be copied and pickled.
    """

    def __init__(self, frame_inds: np.ndarray, frames: np.ndarray) -> None:
        self.frame_inds = frame_inds
        self.frames = frames

    def get_batch(self, frame_inds: np.ndarray) -> DecodedFrames:
        """Check that the frames are those that were read."""
        if not np.array_equal(frame_inds, self.frame_inds):
            raise ValueError(
                'frame_inds changed after the frames were read: sample before that'
            )
        return self

    def asnumpy(self) -> np.ndarray:
        """The frames ``(n, h, w, 3)`` uint8 RGB."""
        return self.frames


@TRANSFORMS.register_module()
class OpenVideo(BaseTransform):
    """Read the sampled frames of a video file for ``DecordDecode``.

    Stands where MMAction has ``DecordInit``, but after the frames are sampled and
    from the path instead of a copy of the whole file in memory. Opening and decoding
    happen here, so that one rule holds for every unreadable file: an error that
    names it, or a skipped sample; never an empty clip.

    Required Keys:

        - filename
        - total_frames
        - frame_inds

    Added Keys:

        - video_reader

    Args:
        num_threads: Threads of the decoder.
        on_error: 'raise', or 'skip': warn, return None and let the dataset take
            another video (``BaseDataset`` does so in training, not in testing).

    Raises:
        VideoReadError: If the file cannot be opened or decoded or is shorter than
            annotated, unless it is skipped.
    """

    def __init__(self, num_threads: int = 1, on_error: str = 'raise') -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.num_threads = num_threads
        self.on_error = on_error
        self.num_skipped = 0

    def transform(self, results: dict) -> dict | None:
        """Add a reader that holds the frames; None if the sample is skipped."""
        if 'frame_inds' not in results:
            raise KeyError(
                f'{type(self).__name__} needs frame_inds: sample frames before it'
            )
        frame_inds = np.asarray(results['frame_inds']).reshape(-1)
        try:
            frames = self.read(results, frame_inds)
        except VideoReadError as error:
            if self.on_error == 'raise':
                raise
            self.num_skipped += 1
            print_log(
                f'skipped an unreadable video, number {self.num_skipped} of this '
                f'process: {error}',
                logger='current',
                level=logging.WARNING,
            )
            return None
        results['video_reader'] = DecodedFrames(frame_inds, frames)
        return results

    def read(self, results: dict, frame_inds: np.ndarray) -> np.ndarray:
        """The frames ``(n, h, w, 3)`` of one video."""
        return read_frames(
            results['filename'],
            frame_inds,
            results['total_frames'],
            self.num_threads,
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_threads={self.num_threads}, '
            f'on_error={self.on_error!r})'
        )
