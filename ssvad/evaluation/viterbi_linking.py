"""Linking the boxes of one class over a whole video, as YOWO does."""

from __future__ import annotations

import numpy as np

from .boxes import as_measured, box_iou
from .tubes import Track


def link_whole_video(
    frames: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    num_frames: int,
    max_tracks: int = 3,
) -> list[Track]:
    """Best paths through all frames of a video, each removed before the next.

    As in YOWO (Koepuekluee et al., 2019), after Singh et al. (2017): a step from one
    frame to the next is worth ``IoU + s + s' + s s' / 2``; frames without a box borrow
    those of the nearest frame that has some, the earlier of two; a path always spans
    the whole video, so that the overlap with a short action is bounded by its share of
    the video. The search ends when a frame has no box left.

    Args:
        frames: (N,) int, frame of each box, all of one class.
        boxes: (N, 4) xyxy, absolute pixels, right and bottom exclusive. A step measures
            them a pixel narrower and lower, the evaluation of YOWO does not.
        scores: (N,) float.
        num_frames: F.
        max_tracks: largest number of paths.

    Returns:
        Tracks of F boxes with the mean of their scores.
    """
    frames, scores = np.asarray(frames, np.int64), np.asarray(scores, np.float64)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if not len(frames):
        return []
    known = np.unique(frames)
    nearest = known[np.abs(np.arange(num_frames)[:, None] - known).argmin(axis=1)]
    left = [np.flatnonzero(frames == frame) for frame in nearest]
    tracks = []
    while len(tracks) < max_tracks and all(len(choices) for choices in left):
        path = _best_path(left, as_measured(boxes, 'exclusive'), scores)
        chosen = np.array([choices[k] for choices, k in zip(left, path)])
        tracks.append(Track(0, boxes[chosen], float(scores[chosen].mean())))
        left = [np.delete(choices, k) for choices, k in zip(left, path)]
    return tracks


def _best_path(left: list, boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    """Position in each frame's list on the path with the largest sum of steps."""
    ahead, following = np.zeros(len(left[-1])), []
    for here, there in zip(left[-2::-1], left[:0:-1]):
        own, other = scores[here][:, None], scores[there]
        step = box_iou(boxes[here][:, None], boxes[there])
        worth = step + own + other + own * other / 2 + ahead
        ahead = worth.max(axis=1)
        following.append(worth.argmax(axis=1))
    path = [int(ahead.argmax())]
    for step in following[::-1]:
        path.append(int(step[path[-1]]))
    return path
