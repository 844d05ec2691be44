"""Which of a video's actors the capsule protocol compares the mask with."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .sample_fields import field

POLICIES = {
    'union': 'union of all actors inside the crop',
    'first': 'the first annotated actor of each video',
    'random': 'one actor of each video, drawn by its name and the seed',
    'all': 'each actor in turn, averaged',
}


class CapsuleTruth(NamedTuple):
    """One ground truth of a video.

    Attributes:
        label: class index, -1 if the video has none.
        weight: of this ground truth in all counts; those of a video sum to 1.
        mask: (n, H, W) bool.
    """

    label: int
    weight: float
    mask: np.ndarray


def capsule_truths(
    sample: Mapping, mask: np.ndarray, frames: np.ndarray, policy: str, seed: int
) -> list[CapsuleTruth]:
    """Ground truths of a video by one annotation policy.

    The released evaluator draws one actor at random, VideoCapsuleNet took the union
    of all; 'all' is the mean over what could be drawn. The draw depends on nothing but
    the seed and the video's name.

    Args:
        sample: needs `video_id`, and unless the policy is 'union' `gt_tubes` (n, F, 4),
            `tube_labels` (n,), `crop_quadruple` (4,), `original_shape` (h, w).
        mask: (n, H, W) bool, union of all actors as the network's crop shows it.
        frames: (n,) int, the frames of the mask.
        policy: a key of `POLICIES`.
        seed: of the draw.
    """
    label = int(field(sample, 'gt_label').item()) if 'gt_label' in sample else -1
    if policy == 'union':
        return [CapsuleTruth(label, 1.0, mask)]
    tubes, labels = field(sample, 'gt_tubes'), field(sample, 'tube_labels')
    num = len(tubes)
    if num < 2:
        return [CapsuleTruth(label, 1.0, mask)]
    chosen = range(num)
    if policy == 'first':
        chosen = [0]
    elif policy == 'random':
        name = zlib.crc32(str(sample['video_id']).encode())
        chosen = [int(np.random.default_rng([seed, name]).integers(num))]
    shape = field(sample, 'original_shape')
    crop = field(sample, 'crop_quadruple')
    return [
        CapsuleTruth(
            int(labels[k]),
            1 / len(chosen),
            mask & inside_boxes(tubes[k][frames], mask.shape[1:], crop, shape),
        )
        for k in chosen
    ]


def inside_boxes(
    boxes: np.ndarray, size: tuple, crop: np.ndarray, original_shape: np.ndarray
) -> np.ndarray:
    """Pixels of a crop that show the inside of a box.

    A pixel shows the source pixel that its centre lies in, as masks are scaled.

    Args:
        boxes: (n, 4) xyxy in source pixels, right and bottom exclusive; NaN for none.
        size: (H, W) of the crop.
        crop: (4,) x, y, w, h as fractions of the source frame.
        original_shape: (h, w) of the source frame.

    Returns:
        (n, H, W) bool.
    """
    sides = []
    for axis in (0, 1):  # columns, then rows
        count, limit = int(size[1 - axis]), int(original_shape[1 - axis])
        start, length = float(crop[axis]) * limit, float(crop[axis + 2]) * limit
        centres = start + (np.arange(count) + 0.5) * (length / count)
        shown = np.clip(np.floor(centres), 0, limit - 1) + 0.5
        low, high = boxes[:, axis, None], boxes[:, axis + 2, None]
        sides.append((shown >= low) & (shown < high))
    return sides[1][:, :, None] & sides[0][:, None, :]
