"""The "capsule protocol": class-agnostic localisation recall of the paper's lineage.

What VideoCapsuleNet (Duarte et al., 2018) and its semi-supervised successors print as
f-mAP and v-mAP has no score, no ranking, no false positive and no class check: it is
the share of annotated frames or videos whose foreground mask reaches an IoU, averaged
over the classes. It is not comparable with average precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# The lineage made its thresholds in float32 and compared in float64, which decides
# exact ties: IoU 1/5 misses the threshold 0.2, IoU 1/2 reaches 0.5.
THRESHOLDS = (np.arange(20, dtype=np.float32) / np.float32(20)).astype(np.float64)


class FrameCounts(NamedTuple):
    """Pixels per frame of one video, all (F,) int32.

    Attributes:
        inter: predicted and annotated.
        pred_area: predicted.
        gt_area: annotated; frames where it is 0 are never scored.
    """

    inter: np.ndarray
    pred_area: np.ndarray
    gt_area: np.ndarray


class CapsuleVideo(NamedTuple):
    """What the protocol needs to know about one video.

    Attributes:
        label: class index of the video.
        predicted: class index predicted from the kept clips, see `kept_clip_class`.
        counts: pixels per frame.
        weight: of this ground truth, less than 1 where a video has several.
    """

    label: int
    predicted: int
    counts: FrameCounts
    weight: float = 1.0


class CapsuleRecall(NamedTuple):
    """Result of the protocol; the 20 columns belong to `THRESHOLDS`.

    Attributes:
        frame_recall: (K, 20) share of annotated frames per class, NaN if absent.
        video_recall: (K, 20) share of videos per class, NaN if absent.
        num_frames: (K,) float64, scored frames per class, weighted.
        num_videos: (K,) float64, scored videos per class, weighted.
        accuracy: share of scored videos with the right class; 0 without videos.
    """

    frame_recall: np.ndarray
    video_recall: np.ndarray
    num_frames: np.ndarray
    num_videos: np.ndarray
    accuracy: float


def count_frames(pred: np.ndarray, gt: np.ndarray) -> FrameCounts:
    """Count predicted, annotated and shared pixels of every frame.

    Args:
        pred: (F, H, W) bool, predicted foreground.
        gt: (F, H, W) bool, annotated foreground.
    """
    # packing and counting words takes half the time of counting the pixels
    return count_bits(pack_frames(pred), pack_frames(gt))


def pack_frames(mask: np.ndarray) -> np.ndarray:
    """Masks as bits, an eighth of their size.

    Args:
        mask: (F, H, W) bool.

    Returns:
        (F, ceil(H*W / 8)) uint8, as `numpy.packbits` lays bits out; the last byte is
        filled up with zeros.
    """
    frames, height, width = mask.shape
    return np.packbits(mask.reshape(frames, height * width), axis=1)


def count_bits(pred: np.ndarray, gt: np.ndarray) -> FrameCounts:
    """Count pixels of masks that are kept as bits; the counts of `count_frames`.

    Args:
        pred: (F, N) uint8, predicted foreground, see `pack_frames`.
        gt: (F, N) uint8, annotated foreground.
    """
    pred, gt = _words(pred), _words(gt)
    return FrameCounts(
        *(
            _bits_set(words).sum(axis=1, dtype=np.int32)
            for words in (np.bitwise_and(pred, gt), pred, gt)
        )
    )


def _words(bits: np.ndarray) -> np.ndarray:
    """Rows of bytes as rows of 64-bit words, filled up with zeros."""
    missing = -bits.shape[1] % 8
    if missing:
        bits = np.pad(bits, ((0, 0), (0, missing)))
    return np.ascontiguousarray(bits).view(np.uint64)


def _looked_up(words: np.ndarray) -> np.ndarray:
    """Bits set in each 16-bit part of 64-bit words, where NumPy (< 2) cannot count."""
    return BITS_OF_16[words.view(np.uint16)]


BITS_OF_16 = sum(np.arange(1 << 16) >> bit & 1 for bit in range(16)).astype(np.uint8)
_bits_set = getattr(np, 'bitwise_count', _looked_up)


def kept_clip_class(kept_scores: np.ndarray, num_kept: int) -> int:
    """Class of a video from the clips that contain ground truth.

    Args:
        kept_scores: (K,) sum of the class activations of these clips; the protocol
            drops the others before inference.
        num_kept: number of these clips.

    Returns:
        Class index, or -1 if no clip is kept (the video is not scored).
    """
    return int((kept_scores / num_kept).argmax()) if num_kept else -1


def capsule_recall(videos: Sequence[CapsuleVideo], num_classes: int) -> CapsuleRecall:
    """Score videos by the capsule protocol.

    Frame IoU is taken on frames with ground truth; video IoU is the sum of the
    intersections over the sum of the unions of these frames. Videos without such a
    frame are left out.

    Args:
        videos: one entry per video.
        num_classes: K.
    """
    labels, weights, right, inter, union = [], [], [], [], []
    for video in videos:
        scored = video.counts.gt_area > 0
        if scored.any():
            shared, pred, gt = (
                count[scored].astype(np.int64) for count in video.counts
            )
            labels.append(video.label)
            weights.append(video.weight)
            right.append(video.predicted == video.label)
            inter.append(shared)
            union.append(pred + gt - shared)
    labels, weights = np.array(labels, int), np.array(weights, float)
    video_iou = np.array([i.sum() / u.sum() for i, u in zip(inter, union)], float)
    frame_iou = np.concatenate([i / u for i, u in zip(inter, union)] or [np.zeros(0)])
    length = np.array([len(i) for i in inter], int)
    frames = _share_of_hits(
        frame_iou, np.repeat(labels, length), np.repeat(weights, length), num_classes
    )
    whole = _share_of_hits(video_iou, labels, weights, num_classes)
    accuracy = float(np.average(right, weights=weights)) if right else 0.0
    return CapsuleRecall(frames[0], whole[0], frames[1], whole[1], accuracy)


def _share_of_hits(
    iou: np.ndarray, labels: np.ndarray, weights: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted share of hits (K, 20) and total weight (K,) of every class."""
    totals = np.bincount(labels, weights, num_classes)
    hits = np.stack(
        [np.bincount(labels, weights * (iou >= t), num_classes) for t in THRESHOLDS],
        axis=1,
    )
    with np.errstate(invalid='ignore'):
        return hits / totals[:, None], totals
