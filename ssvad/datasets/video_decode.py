"""The sampled frames of a video for MMAction's ``DecordDecode``."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from .frame_reader import read_frames


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
    """Read the sampled frames of a video for ``DecordDecode``.

    Stands where MMAction has ``DecordInit``, but after the frames are sampled and
    from the path instead of a copy of the whole file in memory. Opening and decoding
    happen here, so that every unreadable video gives one kind of error, which the
    dataset raises or answers with another video. A folder of frames is read as a video
    is (in the place of ``RawFrameDecode``).

    Required Keys:

        - filename
        - total_frames
        - frame_inds

    Added Keys:

        - video_reader

    Args:
        num_threads: Threads of the decoder.

    Raises:
        VideoReadError: If the video cannot be opened or decoded or is shorter than
            annotated.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self.num_threads = num_threads

    def transform(self, results: dict) -> dict:
        """Add a reader that holds the frames."""
        if 'frame_inds' not in results:
            raise KeyError(
                f'{type(self).__name__} needs frame_inds: sample frames before it'
            )
        frame_inds = np.asarray(results['frame_inds']).reshape(-1)
        frames = self.read(results, frame_inds)
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
        return f'{type(self).__name__}(num_threads={self.num_threads})'
