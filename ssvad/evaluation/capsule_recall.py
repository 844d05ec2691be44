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
    """

    label: int
    predicted: int
    counts: FrameCounts


class CapsuleRecall(NamedTuple):
    """Result of the protocol; the 20 columns belong to `THRESHOLDS`.

    Attributes:
        frame_recall: (K, 20) share of annotated frames per class, NaN if absent.
        video_recall: (K, 20) share of videos per class, NaN if absent.
        num_frames: (K,) scored frames per class.
        num_videos: (K,) scored videos per class.
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
        gt: (F, H, W) bool, annotated foreground (union of the actors).
    """
    return FrameCounts(
        *(
            np.count_nonzero(mask, axis=(1, 2)).astype(np.int32)
            for mask in (pred & gt, pred, gt)
        )
    )


def kept_clip_class(clip_scores: np.ndarray, kept: np.ndarray) -> int:
    """Class of a video from the clips that contain ground truth.

    Args:
        clip_scores: (M, K) class activations of the clips.
        kept: (M,) bool, True for clips with ground truth; the protocol drops the
            others before inference.

    Returns:
        Class index, or -1 if no clip is kept (the video is not scored).
    """
    if not kept.any():
        return -1
    return int(clip_scores[kept].mean(axis=0, dtype=np.float64).argmax())


def capsule_recall(videos: Sequence[CapsuleVideo], num_classes: int) -> CapsuleRecall:
    """Score videos by the capsule protocol.

    Frame IoU is taken on frames with ground truth; video IoU is the sum of the
    intersections over the sum of the unions of these frames. Videos without such a
    frame are left out.

    Args:
        videos: one entry per video.
        num_classes: K.
    """
    labels, right, inter, union = [], [], [], []
    for video in videos:
        scored = video.counts.gt_area > 0
        if scored.any():
            shared, pred, gt = (
                count[scored].astype(np.int64) for count in video.counts
            )
            labels.append(video.label)
            right.append(video.predicted == video.label)
            inter.append(shared)
            union.append(pred + gt - shared)
    labels = np.array(labels, int)
    video_iou = np.array([i.sum() / u.sum() for i, u in zip(inter, union)], float)
    frame_iou = np.concatenate([i / u for i, u in zip(inter, union)] or [np.zeros(0)])
    frame_labels = np.repeat(labels, np.array([len(i) for i in inter], int))
    num_frames = np.bincount(frame_labels, minlength=num_classes)
    num_videos = np.bincount(labels, minlength=num_classes)
    return CapsuleRecall(
        _share_of_hits(frame_iou, frame_labels, num_frames),
        _share_of_hits(video_iou, labels, num_videos),
        num_frames,
        num_videos,
        float(np.mean(right)) if right else 0.0,
    )


def _share_of_hits(
    iou: np.ndarray, labels: np.ndarray, totals: np.ndarray
) -> np.ndarray:
    hits = np.zeros((len(totals), len(THRESHOLDS)), np.int64)
    np.add.at(hits, labels, iou[:, None] >= THRESHOLDS)
    with np.errstate(invalid='ignore'):
        return hits / totals[:, None]
