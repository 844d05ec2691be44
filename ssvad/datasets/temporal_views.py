"""Other frames, or another order of them, for a clip that was sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

KINDS = ('regular', 'irregular', 'reversed')


def frames_at(
    offsets: np.ndarray, frame_inds: np.ndarray, frame_interval: int, total_frames: int
) -> np.ndarray:
    """Frames of the window that a clip covers.

    The window has ``T * frame_interval`` frames: each frame of the clip and those up
    to the next one. So it follows the clip where that is bent at a border of the video.

    Args:
        offsets: Places in the window, from 0.
        frame_inds: The clip ``(T,)``.
        frame_interval: Distance between its frames.
        total_frames: Length of the video; after its last frame comes the first, as in
            :func:`~ssvad.datasets.clip_sampling.released_clip_around`.

    Returns:
        Indices, as many as offsets, in ``[0, total_frames)``.
    """
    steps, rest = np.divmod(offsets, frame_interval)
    return (frame_inds[steps] + rest) % total_frames


@TRANSFORMS.register_module()
class RandomTiming(BaseTransform):
    """Keep a clip, take irregular frames instead, or reverse it.

    Each of the kinds is equally likely. 'irregular' takes T different frames, in order,
    out of the first ``(T - 1) * frame_interval`` of the window, as the released code of
    Stable Mean Teacher does (8 out of 14; the last regular frame is not among them). A
    clip without gaps has no other frames and stays.

    Put it after ``SampleTubeClip`` and before the frames are read: masks are made for
    the frames that are shown, and all views of the clip show the same.

    Required Keys:

        - frame_inds
        - frame_interval
        - total_frames
        - num_clips

    Modified Keys:

        - frame_inds ``(T,)``; ``frame_interval`` stays, as a mean of 'irregular'

    Args:
        kinds: Those to choose from, of 'regular', 'irregular', 'reversed'.

    Raises:
        ValueError: If a kind is unknown, frames were already read, or there are several
            clips.
    """

    def __init__(self, kinds: Sequence[str] = KINDS) -> None:
        if not kinds or not set(kinds) <= set(KINDS):
            raise ValueError(f'kinds must be some of {KINDS}, got {kinds!r}')
        self.kinds = tuple(kinds)

    def transform(self, results: dict) -> dict:
        """Draw a kind and change the frame indices."""
        if 'video_reader' in results or 'imgs' in results:
            raise ValueError('frames were already read: put RandomTiming before that')
        if results['num_clips'] != 1:
            raise ValueError(
                f'RandomTiming needs one clip, as in training, got '
                f'{results["num_clips"]}'
            )
        frame_inds = results['frame_inds']
        kind = self.kinds[np.random.randint(len(self.kinds))]
        if kind == 'reversed':
            frame_inds = frame_inds[::-1].copy()
        elif kind == 'irregular':
            count, interval = len(frame_inds), results['frame_interval']
            places = max(count, (count - 1) * interval)
            offsets = np.sort(np.random.choice(places, count, replace=False))
            frame_inds = frames_at(
                offsets, frame_inds, interval, results['total_frames']
            )
        results['frame_inds'] = frame_inds
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(kinds={self.kinds})'
