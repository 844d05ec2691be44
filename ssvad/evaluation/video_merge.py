"""Putting the records of all ranks together: one complete record per video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import numpy as np

from .tubes import Track


def merge_records(
    records: Sequence[dict], link: Callable[..., list[Track]]
) -> list[dict]:
    """One record per video, whatever rank has seen what how often.

    Args:
        records: of `FrameVideoMAP.reduce`; samplers may have repeated some to give
            every rank as many.
        link: `link_boxes` or the like, for videos that came in clips.

    Returns:
        Records of whole videos, sorted by name, so that no tie depends on the order.

    Raises:
        ValueError: if a video's clips leave out a frame or show one twice, or if two
            different videos have the same name.
    """
    videos: dict[str, dict[int, dict]] = {}
    for record in records:
        clips = videos.setdefault(record['video_id'], {})
        known = clips.setdefault(record['clip_id'], record)
        if not _same_video(record, next(iter(clips.values()))) or not np.array_equal(
            record['frames'], known['frames']
        ):
            raise ValueError(
                f"video '{record['video_id']}' came with different lengths, labels or "
                'frames; give every video a name of its own'
            )
    return [_merge_clips(videos[name], link) for name in sorted(videos)]


def _same_video(a: dict, b: dict) -> bool:
    return all(a[name] == b[name] for name in ('num_frames', 'label'))


def _merge_clips(by_id: dict[int, dict], link: Callable[..., list[Track]]) -> dict:
    if list(by_id) == [-1]:
        return by_id[-1]
    clips = [by_id[number] for number in sorted(by_id)]
    whole, frames = clips[0], np.concatenate([clip['frames'] for clip in clips])
    times = np.bincount(frames, minlength=whole['num_frames'])
    for wrong, what in ((times == 0, 'are missing'), (times > 1, 'came twice')):
        if wrong.any():
            raise ValueError(
                f"video '{whole['video_id']}': {wrong.sum()} of its "
                f'{whole["num_frames"]} frames {what}, first frame '
                f'{int(wrong.argmax())}; clips that came: {sorted(by_id)}. Every frame '
                'belongs into exactly one clip'
            )
    if clips[0]['clip_id'] != 0:
        raise ValueError(
            f"video '{whole['video_id']}': expected clips numbered from 0, got "
            f'{sorted(by_id)}'
        )
    order = np.argsort(frames)
    num_clips = sum(clip['num_clips'] for clip in clips)
    total = sum(clip['num_clips'] * clip['class_scores'] for clip in clips)
    merged = dict(
        whole,
        clip_id=-1,
        frames=frames[order],
        num_clips=num_clips,
        class_scores=total / num_clips,
    )
    if 'frame_scores' in whole:
        scores = np.concatenate([clip['frame_scores'] for clip in clips])
        merged['frame_scores'] = scores[order]
    if 'capsule' in whole:
        merged['capsule'] = [
            _merge_counts(parts, order)
            for parts in zip(*(clip['capsule'] for clip in clips))
        ]
    if 'standard' in whole:
        detected = _concatenated([clip['standard']['detected'] for clip in clips])
        by_frame = np.argsort(detected['frame'], kind='stable')
        detected = {name: values[by_frame] for name, values in detected.items()}
        tracks = link(detected['frame'], detected['boxes'], detected['prob'])
        merged['standard'] = dict(
            whole['standard'],
            detected=detected,
            tracks=[track._asdict() for track in tracks],
        )
    return merged


def _merge_counts(parts: Sequence[dict], order: np.ndarray) -> dict:
    counts = _concatenated([part['counts'] for part in parts])
    return dict(
        parts[0],
        counts={name: values[order] for name, values in counts.items()},
        kept_scores=sum(part['kept_scores'] for part in parts),
        num_kept=sum(part['num_kept'] for part in parts),
    )


def _concatenated(parts: Sequence[dict]) -> dict:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
