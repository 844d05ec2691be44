"""Which frames of a video make a clip."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


def clip_around(
    centre: int, total_frames: int, clip_len: int, frame_interval: int
) -> tuple[np.ndarray, int]:
    """Frame indices of the clip whose middle is a given frame.

    The window of ``clip_len * frame_interval`` frames is shifted into the video
    where it would stick out. A video shorter than the window gets a smaller
    interval; one shorter than ``clip_len`` repeats its last frame.

    Args:
        centre: Frame to have in the middle, 0-based.
        total_frames: Length of the video.
        clip_len: Frames of the clip, T.
        frame_interval: Wanted distance between frames of the clip.

    Returns:
        The indices ``(T,)`` int64, all in ``[0, total_frames)``, and the interval
        that was used.
    """
    interval = max(1, min(frame_interval, total_frames // clip_len))
    span = clip_len * interval
    start = min(max(0, centre - span // 2), max(0, total_frames - span))
    indices = start + interval * np.arange(clip_len)
    return np.minimum(indices, total_frames - 1), interval


def released_clip_around(
    centre: int, total_frames: int, clip_len: int, frame_interval: int
) -> tuple[np.ndarray, int]:
    """Frame indices of a clip as the released loaders of the paper place it.

    Inside the video it is :func:`clip_around`. A window that would start before the
    video gets interval 1 and is centred anew; one that reaches the end is moved to
    end there, in short videos to a negative start, and negative indices count from
    the end: the clip then jumps from the last frames to the first.

    Args:
        centre: Frame to have in the middle, 0-based.
        total_frames: Length of the video.
        clip_len: Frames of the clip, T.
        frame_interval: Wanted distance between frames of the clip.

    Returns:
        The indices ``(T,)`` int64, all in ``[0, total_frames)``, and the interval
        that was used.

    Raises:
        ValueError: If a negative index reaches beyond the first frame, where the
            released loaders fail (8-frame clips: videos of less than 4 frames).
    """
    interval = frame_interval
    start = centre - clip_len * interval // 2
    if start < 0:
        interval = 1
        start = max(0, centre - clip_len // 2)
    if start + clip_len * interval >= total_frames:
        start = total_frames - clip_len * interval
    if start < -total_frames:
        raise ValueError(
            f'the released loaders cannot take a clip of {clip_len} frames from a '
            f"video of {total_frames}; use at_border='shift'"
        )
    indices = start + interval * np.arange(clip_len)
    return indices % total_frames, interval


CLIP_AROUND = {'shift': clip_around, 'released': released_clip_around}


def whole_video_clips(
    total_frames: int, clip_len: int, frame_interval: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a video into clips so that every frame is in exactly one of them.

    The video is cut in blocks of ``T * interval`` frames and each block in
    ``interval`` interleaved clips: frame ``t`` of clip ``j`` of block ``b`` is
    ``b * T * interval + j + interval * t`` (capsule protocol).

    Args:
        total_frames: Length of the video, F.
        clip_len: Frames of a clip, T.
        frame_interval: Distance between frames of a clip.

    Returns:
        The indices ``(M * T,)`` int64, clip after clip, clipped to the last frame,
        and ``valid`` ``(M * T,)`` bool, false where an index was clipped.
    """
    block = clip_len * frame_interval
    blocks = -(-total_frames // block)
    indices = np.arange(blocks * block).reshape(blocks, clip_len, frame_interval)
    indices = indices.transpose(0, 2, 1).reshape(-1)
    return np.minimum(indices, total_frames - 1), indices < total_frames


def _check_clip(clip_len: int, frame_interval: int) -> None:
    if clip_len < 1 or frame_interval < 1:
        raise ValueError(
            'clip_len and frame_interval must be at least 1, got '
            f'{clip_len} and {frame_interval}'
        )


def _total_frames(results: dict) -> int:
    total_frames = int(results['total_frames'])
    if total_frames < 1:
        raise ValueError(
            f'{results.get("video_id", results.get("filename"))}: cannot take a clip '
            f'of a video with {total_frames} frames'
        )
    return total_frames


@TRANSFORMS.register_module()
class SampleTubeClip(BaseTransform):
    """Draw one training clip of a video.

    With ``trimmed`` the clip is centred on a frame drawn among the annotated ones
    (union over tubes), as the published loaders do, for unlabelled videos too.
    Without it any frame of the video may be the centre and no annotation is read.

    The border rules differ where a clip of full length would leave the video; inside
    they agree. The default keeps the interval and the order of the frames wherever
    the video is long enough, so that all clips show motion at one speed and attention
    over time sees no jump; the released loaders do neither.

    Required Keys:

        - total_frames
        - gt_tubes (if trimmed)

    Added Keys:

        - frame_inds ``(T,)``
        - clip_len
        - frame_interval
        - num_clips

    Args:
        clip_len: Frames of the clip, T.
        frame_interval: Distance between frames; smaller in short videos.
        trimmed: Whether to centre the clip on an annotated frame.
        at_border: 'shift' (:func:`clip_around`) or 'released'
            (:func:`released_clip_around`).

    Raises:
        ValueError: If trimmed and the video has no annotated frame, or if
            ``at_border`` is neither.
    """

    def __init__(
        self,
        clip_len: int = 8,
        frame_interval: int = 2,
        trimmed: bool = True,
        at_border: str = 'shift',
    ) -> None:
        _check_clip(clip_len, frame_interval)
        if at_border not in CLIP_AROUND:
            raise ValueError(
                f'at_border must be one of {sorted(CLIP_AROUND)}, got {at_border!r}'
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.trimmed = trimmed
        self.at_border = at_border

    def transform(self, results: dict) -> dict:
        """Add the frame indices of one random clip."""
        total_frames = _total_frames(results)
        if self.trimmed:
            present = np.isfinite(results['gt_tubes']).all(-1).any(0)
            candidates = np.flatnonzero(present)
            if not len(candidates):
                raise ValueError(
                    f'{results.get("video_id", results.get("filename"))}: no tube to '
                    'centre a clip on; use SampleTubeClip(trimmed=False) for videos '
                    'without annotation'
                )
            centre = int(np.random.choice(candidates))
        else:
            centre = np.random.randint(total_frames)
        frame_inds, interval = CLIP_AROUND[self.at_border](
            centre, total_frames, self.clip_len, self.frame_interval
        )
        results['frame_inds'] = frame_inds
        results['clip_len'] = self.clip_len
        results['frame_interval'] = interval
        results['num_clips'] = 1
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, '
            f'frame_interval={self.frame_interval}, trimmed={self.trimmed}, '
            f'at_border={self.at_border!r})'
        )


@TRANSFORMS.register_module()
class SampleWholeVideo(BaseTransform):
    """Take all frames of a video, in clips laid out by :func:`whole_video_clips`.

    The tail is padded with the last frame and marked in ``frame_valid``; the
    published evaluation pads with black frames, which the network never saw in
    training.

    Required Keys:

        - total_frames

    Added Keys:

        - frame_inds ``(M * T,)``
        - frame_valid ``(M * T,)`` bool
        - clip_len
        - frame_interval
        - num_clips

    Args:
        clip_len: Frames of a clip, T.
        frame_interval: Distance between frames of a clip.
    """

    def __init__(self, clip_len: int = 8, frame_interval: int = 2) -> None:
        _check_clip(clip_len, frame_interval)
        self.clip_len = clip_len
        self.frame_interval = frame_interval

    def transform(self, results: dict) -> dict:
        """Add the frame indices of all clips."""
        frame_inds, valid = whole_video_clips(
            _total_frames(results), self.clip_len, self.frame_interval
        )
        results['frame_inds'] = frame_inds
        results['frame_valid'] = valid
        results['clip_len'] = self.clip_len
        results['frame_interval'] = self.frame_interval
        results['num_clips'] = len(frame_inds) // self.clip_len
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, '
            f'frame_interval={self.frame_interval})'
        )
