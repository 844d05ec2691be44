"""Reducing one data sample to a record small enough to send between ranks.

Records are dicts, lists and arrays only: mmengine turns a NamedTuple into a bare tuple
when it moves collected results to the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

import numpy as np

from .capsule_recall import count_frames
from .capsule_truth import capsule_truths
from .clip_scores import scores_of_frames
from .mask_to_boxes import MaskBoxes, to_source_pixels
from .sample_fields import field
from .tubes import Track


def base_record(sample: Mapping) -> dict:
    """What both protocols need: names, frames and class scores.

    A sample is a whole video, its `pred_mask` (F, H, W) in frame order; or, if it has
    a `clip_id`, one clip of it, its `pred_mask` (T, H, W) in the order of `frame_inds`
    (T,), of which those with `frame_valid` (T,) count.

    Returns:
        `video_id`, `clip_id` (-1 for a whole video), `num_frames`, `frames` (n,) int32
        in the order of the other arrays, `label` (-1 for none), `class_scores` (K,)
        mean over the `num_clips` clips.

    Raises:
        KeyError: if a field is missing.
        ValueError: if fields do not fit each other.
    """
    video = str(field(sample, 'video_id'))
    num_frames = int(field(sample, 'total_frames'))
    mask, scores = field(sample, 'pred_mask'), field(sample, 'pred_clip_scores')
    clip_id = int(sample.get('clip_id', -1))
    expected = num_frames if clip_id < 0 else len(field(sample, 'frame_inds'))
    if mask.ndim != 3 or len(mask) != expected or scores.ndim != 2 or not scores.size:
        raise ValueError(
            f"video '{video}': expected pred_mask ({expected}, H, W) and "
            f'pred_clip_scores (M, K), got {mask.shape} and {scores.shape}'
        )
    if 'clip_id' in sample and (clip_id < 0 or len(scores) != 1):
        raise ValueError(
            f"video '{video}': expected clip_id from 0 on and pred_clip_scores (1, K) "
            f'of one clip, got clip_id {clip_id} and {scores.shape}'
        )
    frames = np.arange(num_frames)
    if clip_id >= 0:
        frames = field(sample, 'frame_inds')[field(sample, 'frame_valid').astype(bool)]
        if len(frames) and not 0 <= frames.min() <= frames.max() < num_frames:
            raise ValueError(
                f"video '{video}', clip {clip_id}: frame_inds {frames.tolist()} are "
                f'not among the {num_frames} frames'
            )
    return dict(
        video_id=video,
        clip_id=clip_id,
        num_frames=num_frames,
        frames=frames.astype(np.int32),
        label=int(field(sample, 'gt_label').item()) if 'gt_label' in sample else -1,
        class_scores=scores.mean(axis=0, dtype=np.float64),
        num_clips=len(scores),
    )


def capsule_record(
    sample: Mapping, annotation: str = 'union', seed: int = 0
) -> list[dict]:
    """Pixel counts and class for the capsule protocol.

    Args:
        sample: see `base_record`; also needs `gt_mask` (M*T, H, W), `frame_inds` and
            `frame_valid` (M*T,) in clip order.
        annotation: see `capsule_truths`.
        seed: of the draw.

    Returns:
        For each ground truth `label`, `weight`, `counts` (fields of FrameCounts), and
        the sum `kept_scores` (K,) of the class scores of the `num_kept` clips that
        contain ground truth.

    Raises:
        ValueError: if the shapes disagree or the clips miss a frame.
    """
    pred, mask = field(sample, 'pred_mask') >= 0.5, field(sample, 'gt_mask')
    clip_scores = field(sample, 'pred_clip_scores')
    frame_inds = field(sample, 'frame_inds')
    valid = field(sample, 'frame_valid').astype(bool)
    video, num_clips = sample.get('video_id'), len(clip_scores)
    if mask.shape[1:] != pred.shape[1:] or len(mask) != len(frame_inds):
        raise ValueError(
            f"video '{video}': expected gt_mask of shape (len(frame_inds), H, W) with "
            f'{len(frame_inds)} frames and the size of pred_mask {pred.shape}, '
            f'got {mask.shape}'
        )
    if len(frame_inds) % max(num_clips, 1) or len(valid) != len(frame_inds):
        raise ValueError(
            f"video '{video}': {num_clips} rows of pred_clip_scores do not divide "
            f'{len(frame_inds)} frame_inds ({len(valid)} frame_valid) into clips'
        )
    seen = frame_inds[valid]
    row = np.zeros(int(field(sample, 'total_frames')), int)
    if 'clip_id' in sample:
        frames, pred, union = seen, pred[valid], mask[valid] > 0
        row[seen] = np.arange(len(seen))
    else:
        frames = np.arange(len(pred))
        if not np.array_equal(np.unique(seen), frames):
            raise ValueError(
                f"video '{video}': the valid frame_inds cover {len(np.unique(seen))} "
                f'frames, expected each of the {len(pred)} frames of pred_mask'
            )
        union = np.zeros(pred.shape, bool)
        union[seen] = mask[valid] > 0
        row[:] = frames
    records = []
    for truth in capsule_truths(sample, union, frames, annotation, seed):
        counts = count_frames(pred, truth.mask)
        kept = np.zeros(len(frame_inds), bool)
        kept[valid] = counts.gt_area[row[seen]] > 0
        kept = kept.reshape(num_clips, -1).any(axis=1)
        if kept.any() and truth.label == -1:
            raise ValueError(
                f"video '{video}': gt_mask shows an action but gt_label is missing"
            )
        records.append(
            dict(
                label=truth.label,
                weight=truth.weight,
                counts=counts._asdict(),
                kept_scores=clip_scores[kept].sum(axis=0, dtype=np.float64),
                num_kept=int(kept.sum()),
            )
        )
    return records


def standard_record(
    sample: Mapping,
    find_boxes: Callable[[np.ndarray], MaskBoxes],
    link: Callable[..., list[Track]],
) -> dict:
    """Boxes, tracks and ground truth for the standard protocol, in source pixels.

    Args:
        sample: see `base_record`; also needs `crop_quadruple` (4,), `original_shape`
            (h, w), `gt_tubes` (n, F, 4) and `tube_labels` (n,).
        find_boxes: `mask_to_boxes` or the like.
        link: `link_boxes` or the like, called with frames, boxes, scores.

    Returns:
        `detected` (fields of MaskBoxes), `tracks` and `gt_tracks` (lists of the fields
        of Track), `gt_labels` (n,) int64. Clips are linked when their video is put
        together, and only the first carries the ground truth.

    Raises:
        ValueError: if the annotation does not fit the video.
    """
    mask, video = field(sample, 'pred_mask'), sample.get('video_id')
    gt_tubes, gt_labels = field(sample, 'gt_tubes'), field(sample, 'tube_labels')
    num_frames = int(field(sample, 'total_frames'))
    if len(gt_tubes) != len(gt_labels) or (
        len(gt_tubes) and gt_tubes.shape[1:] != (num_frames, 4)
    ):
        raise ValueError(
            f"video '{video}': expected gt_tubes of shape ({len(gt_labels)}, "
            f'{num_frames}, 4), one per tube label, got {gt_tubes.shape}'
        )
    clip_id = sample.get('clip_id', -1)
    if clip_id >= 0:
        valid = field(sample, 'frame_valid').astype(bool)
        found = find_boxes(mask[valid])
        frames = field(sample, 'frame_inds')[valid][found.frame]
        found = found._replace(frame=frames.astype(np.int32))
    else:
        found = find_boxes(mask)
    boxes = to_source_pixels(
        found.boxes,
        mask.shape[1:],
        field(sample, 'crop_quadruple'),
        field(sample, 'original_shape'),
    )
    whole, first = clip_id < 0, clip_id <= 0
    return dict(
        detected=found._replace(boxes=boxes)._asdict(),
        tracks=[
            track._asdict()
            for track in (link(found.frame, boxes, found.prob) if whole else [])
        ],
        gt_tracks=[
            annotated_track(tube, f"video '{video}', tube {i}")._asdict()
            for i, tube in enumerate(gt_tubes if first else [])
        ],
        gt_labels=gt_labels.astype(np.int64)[: None if first else 0],
    )


def frame_scores(sample: Mapping) -> np.ndarray:
    """Class scores of the clip that each frame of `base_record` is in.

    Args:
        sample: see `base_record`; a whole video also needs `frame_inds` and
            `frame_valid` (M*T,) in clip order.

    Returns:
        (n, K), row by row as the frames.
    """
    scores, valid = field(sample, 'pred_clip_scores'), field(sample, 'frame_valid')
    if 'clip_id' in sample:
        return np.repeat(scores, np.count_nonzero(valid), axis=0)
    num_frames = int(field(sample, 'total_frames'))
    return scores_of_frames(scores, field(sample, 'frame_inds'), valid, num_frames)


def annotated_track(boxes: np.ndarray, name: str = 'tube') -> Track:
    """Cut the frames without annotation off a tube.

    Args:
        boxes: (F, 4) xyxy in source pixels, NaN where the actor is absent.
        name: how an error names the tube.

    Raises:
        ValueError: if the tube is empty or has a hole.
    """
    present = np.flatnonzero(~np.isnan(boxes).any(axis=1))
    if not len(present) or present[-1] - present[0] + 1 != len(present):
        raise ValueError(
            f'{name}: expected annotation on consecutive frames, got {len(present)} '
            f'frames {present[:8].tolist()}...; split it into one tube per stretch'
        )
    return Track(int(present[0]), boxes[present].astype(np.float64))
