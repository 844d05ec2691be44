"""Reducing one evaluated video to a record small enough to send between ranks.

Records are dicts, lists and arrays only: mmengine turns a NamedTuple into a bare tuple
when it moves collected results to the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

import numpy as np

from .capsule_recall import count_frames, kept_clip_class
from .mask_to_boxes import MaskBoxes, to_source_pixels
from .tubes import Track


def field(sample: Mapping, name: str) -> np.ndarray:
    """A field of a data sample as an array; tensors of any device are fetched.

    Raises:
        KeyError: if the sample lacks the field.
    """
    if name not in sample:
        raise KeyError(
            f"data sample of video '{sample.get('video_id')}' has no '{name}', only "
            f'{sorted(sample)}; pack it (meta_keys, algorithm_keys) or predict it'
        )
    value = sample[name]
    if hasattr(value, 'detach'):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def capsule_record(sample: Mapping) -> dict:
    """Pixel counts and class for the capsule protocol.

    Args:
        sample: needs `pred_mask` (F, H, W) probability in frame order, `gt_mask`
            (M*T, H, W), `frame_inds` and `frame_valid` (M*T,) in clip order, and
            `pred_clip_scores` (M, K).

    Returns:
        `counts` (fields of FrameCounts) and `kept_class` (int, -1 if no clip has ground
        truth).

    Raises:
        ValueError: if the shapes disagree or the clips miss a frame.
    """
    pred_mask, gt_mask = field(sample, 'pred_mask'), field(sample, 'gt_mask')
    clip_scores = field(sample, 'pred_clip_scores')
    frame_inds = field(sample, 'frame_inds')
    valid = field(sample, 'frame_valid').astype(bool)
    video, num_clips = sample.get('video_id'), len(clip_scores)
    if gt_mask.shape[1:] != pred_mask.shape[1:] or len(gt_mask) != len(frame_inds):
        raise ValueError(
            f"video '{video}': expected gt_mask of shape (len(frame_inds), H, W) with "
            f'{len(frame_inds)} frames and the size of pred_mask {pred_mask.shape}, '
            f'got {gt_mask.shape}'
        )
    if len(frame_inds) % max(num_clips, 1) or len(valid) != len(frame_inds):
        raise ValueError(
            f"video '{video}': {num_clips} rows of pred_clip_scores do not divide "
            f'{len(frame_inds)} frame_inds ({len(valid)} frame_valid) into clips'
        )
    seen = frame_inds[valid]
    if not np.array_equal(np.unique(seen), np.arange(len(pred_mask))):
        raise ValueError(
            f"video '{video}': the valid frame_inds cover {len(np.unique(seen))} "
            f'frames, expected each of the {len(pred_mask)} frames of pred_mask'
        )
    gt = np.zeros(pred_mask.shape, bool)
    gt[seen] = gt_mask[valid] > 0
    kept = gt.any(axis=(1, 2))[frame_inds] & valid
    return dict(
        counts=count_frames(pred_mask >= 0.5, gt)._asdict(),
        kept_class=kept_clip_class(
            clip_scores, kept.reshape(num_clips, -1).any(axis=1)
        ),
    )


def standard_record(
    sample: Mapping,
    find_boxes: Callable[[np.ndarray], MaskBoxes],
    link: Callable[..., list[Track]],
) -> dict:
    """Boxes, tracks and ground truth for the standard protocol, in source pixels.

    Args:
        sample: needs `pred_mask` (F, H, W) probability in frame order,
            `crop_quadruple` (4,), `original_shape` (h, w), `gt_tubes` (n, F, 4) and
            `tube_labels` (n,).
        find_boxes: `mask_to_boxes` or the like.
        link: `link_boxes` or the like, called with frames, boxes, scores.

    Returns:
        `detected` (fields of MaskBoxes), `tracks` and `gt_tracks` (lists of the fields
        of Track), `gt_labels` (n,) int64.

    Raises:
        ValueError: if the annotation does not fit the video.
    """
    pred_mask, video = field(sample, 'pred_mask'), sample.get('video_id')
    gt_tubes, gt_labels = field(sample, 'gt_tubes'), field(sample, 'tube_labels')
    if len(gt_tubes) != len(gt_labels) or (
        len(gt_tubes) and gt_tubes.shape[1:] != (len(pred_mask), 4)
    ):
        raise ValueError(
            f"video '{video}': expected gt_tubes of shape ({len(gt_labels)}, "
            f'{len(pred_mask)}, 4), one per tube label, got {gt_tubes.shape}'
        )
    found = find_boxes(pred_mask)
    boxes = to_source_pixels(
        found.boxes,
        pred_mask.shape[1:],
        field(sample, 'crop_quadruple'),
        field(sample, 'original_shape'),
    )
    return dict(
        detected=found._replace(boxes=boxes)._asdict(),
        tracks=[t._asdict() for t in link(found.frame, boxes, found.prob)],
        gt_tracks=[
            annotated_track(tube, f"video '{video}', tube {i}")._asdict()
            for i, tube in enumerate(gt_tubes)
        ],
        gt_labels=gt_labels.astype(np.int64),
    )


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
