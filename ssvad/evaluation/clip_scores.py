"""Class scores of the moment instead of the whole video, as an online system has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .detections import boxes_of_tubes, top_classes
from .frame_ap import FrameBoxes
from .mask_to_boxes import MaskBoxes
from .tube_linking import fill_gaps
from .tubes import Tube


def scores_of_frames(
    clip_scores: np.ndarray,
    frame_inds: np.ndarray,
    frame_valid: np.ndarray,
    num_frames: int,
) -> np.ndarray:
    """Class scores of the clip that each frame is in.

    Args:
        clip_scores: (M, K) activations in [0, 1].
        frame_inds: (M*T,) int, frames of the clips, clip after clip.
        frame_valid: (M*T,) bool, False on padding.
        num_frames: F.

    Returns:
        (F, K); 0 for a frame that is in no clip.

    Raises:
        ValueError: if the clips do not divide the frames.
    """
    clip_scores = np.asarray(clip_scores)
    if not len(clip_scores) or len(frame_inds) % len(clip_scores):
        raise ValueError(
            f'{len(frame_inds)} frame_inds are not {len(clip_scores)} clips of one '
            'length'
        )
    valid = np.asarray(frame_valid, bool)
    clips = np.repeat(np.arange(len(clip_scores)), len(frame_inds) // len(clip_scores))
    scores = np.zeros((num_frames, clip_scores.shape[1]), clip_scores.dtype)
    scores[np.asarray(frame_inds)[valid]] = clip_scores[clips[valid]]
    return scores


def classify_boxes_by_clip(
    found: MaskBoxes, video: int, frame_scores: np.ndarray, topk: int, min_score: float
) -> FrameBoxes:
    """Report each of N boxes for the best classes of its own clip.

    Args:
        found: boxes of one video with their mask probability.
        video: index of the video.
        frame_scores: (F, K), see `scores_of_frames`.
        topk: see `top_classes`.
        min_score: see `top_classes`.

    Returns:
        The boxes, frame by frame, best class first, scored class activation of the
        clip x probability.
    """
    scores = np.asarray(frame_scores, np.float64)[found.frame]
    chosen = [top_classes(row, topk, min_score) for row in scores]
    if not chosen:
        return boxes_of_tubes([])
    box = np.repeat(np.arange(len(chosen)), [len(labels) for labels in chosen])
    labels = np.concatenate(chosen)
    return FrameBoxes(
        video=np.full(len(box), video),
        frame=found.frame[box],
        label=labels,
        boxes=found.boxes[box],
        scores=scores[box, labels] * found.prob[box],
    )


def classify_tracks_by_clip(
    linked: Sequence[np.ndarray],
    found: MaskBoxes,
    video: int,
    frame_scores: np.ndarray,
    topk: int,
    min_score: float,
) -> list[Tube]:
    """Report each track for its best classes, scored by the clips it passes through.

    The score for class c is the mean over the linked boxes of ``a_c(clip) *
    probability``; the classes are those best in the mean over these clips.

    Args:
        linked: indices of each track's boxes, see `link_members`.
        found: boxes of the video, as they were linked.
        video: index of the video.
        frame_scores: (F, K), see `scores_of_frames`.
        topk: see `top_classes`.
        min_score: see `top_classes`.
    """
    frame_scores = np.asarray(frame_scores, np.float64)
    tubes = []
    for members in linked:
        frames = found.frame[members]
        activations = frame_scores[frames]
        scores = (activations * found.prob[members, None]).mean(axis=0)
        start, boxes = fill_gaps(frames, found.boxes[members])
        tubes += [
            Tube(video, int(label), start, boxes, float(scores[label]))
            for label in top_classes(activations.mean(axis=0), topk, min_score)
        ]
    return tubes
