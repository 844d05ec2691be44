"""Giving class-agnostic boxes and tracks the classes of their video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .frame_ap import FrameBoxes
from .mask_to_boxes import MaskBoxes
from .tubes import Track, Tube


def top_classes(class_scores: np.ndarray, topk: int, min_score: float) -> np.ndarray:
    """Classes a video's detections are reported for, best first.

    AP rewards a right second guess, so one class per video would be too few.

    Args:
        class_scores: (K,) activations in [0, 1]; they need not sum to 1.
        topk: largest number of classes.
        min_score: smallest activation.

    Returns:
        (k,) int class indices, k <= ``topk``; equal scores keep the class order.
    """
    best = np.argsort(-class_scores, kind='stable')[:topk]
    return best[class_scores[best] >= min_score]


def classify_boxes(
    found: MaskBoxes, video: int, class_scores: np.ndarray, labels: np.ndarray
) -> FrameBoxes:
    """Report each of N boxes once per class, scored class activation x probability.

    Args:
        found: boxes of one video with their mask probability.
        video: index of the video.
        class_scores: (K,) activations of the video.
        labels: (k,) classes to report.

    Returns:
        N*k boxes.
    """
    num, k = len(found.frame), len(labels)
    return FrameBoxes(
        video=np.full(num * k, video),
        frame=np.repeat(found.frame, k),
        label=np.tile(labels, num),
        boxes=np.repeat(found.boxes, k, axis=0),
        scores=np.outer(found.prob, class_scores[labels]).ravel(),
    )


def classify_tracks(
    tracks: Sequence[Track], video: int, class_scores: np.ndarray, labels: np.ndarray
) -> list[Tube]:
    """Report each track once per class, scored class activation x track score."""
    return [
        Tube(video, int(label), t.start, t.boxes, float(class_scores[label] * t.score))
        for t in tracks
        for label in labels
    ]


def boxes_of_tubes(tubes: Sequence[Tube]) -> FrameBoxes:
    """All boxes of the tubes, frame by frame, with the tube's class and score."""
    length = np.array([len(tube.boxes) for tube in tubes], int)
    return FrameBoxes(
        video=np.repeat(np.array([tube.video for tube in tubes], int), length),
        frame=np.concatenate(
            [np.zeros(0, int)] + [t.start + np.arange(len(t.boxes)) for t in tubes]
        ),
        label=np.repeat(np.array([tube.label for tube in tubes], int), length),
        boxes=np.concatenate([np.zeros((0, 4))] + [tube.boxes for tube in tubes]),
        scores=np.repeat(np.array([tube.score for tube in tubes], float), length),
    )


def concatenate_boxes(parts: Sequence[FrameBoxes]) -> FrameBoxes:
    """Put the boxes of several videos into one set; no parts give an empty set."""
    return FrameBoxes(
        *(np.concatenate(fields) for fields in zip(boxes_of_tubes([]), *parts))
    )
