"""Joining the boxes of consecutive frames into tracks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .boxes import box_iou
from .matching import pairs_with_equal_key
from .tubes import Track


class _OpenTrack:
    """Indices of the boxes linked so far, with the running sum of their scores."""

    def __init__(self, index: int, score: float) -> None:
        self.members = [index]
        self.score_sum = score

    def add(self, index: int, score: float) -> None:
        self.members.append(index)
        self.score_sum += score

    @property
    def mean_score(self) -> float:
        return self.score_sum / len(self.members)


def link_boxes(
    frames: np.ndarray, boxes: np.ndarray, scores: np.ndarray, **options: Any
) -> list[Track]:
    """Tracks of one video: the boxes that `link_members` joins, gaps filled.

    Frames without a box inside a track get one by linear interpolation.

    Args:
        frames: (N,) int, frame of each box.
        boxes: (N, 4) xyxy, absolute pixels, right and bottom exclusive.
        scores: (N,) float, larger is better.
        options: see `link_members`.

    Returns:
        Tracks sorted by their first frame; score = mean score of the linked boxes.
    """
    frames, boxes, scores = _arrays(frames, boxes, scores)
    return [
        # a plain sum in order of time: NumPy's own would round differently
        Track(*fill_gaps(frames[m], boxes[m]), float(sum(scores[m]) / len(m)))
        for m in link_members(frames, boxes, scores, **options)
    ]


def link_members(
    frames: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    iou_thr: float = 0.3,
    max_gap: int = 5,
    min_len: int = 15,
    topk: int = 10,
    min_score: float | None = None,
    min_end_score: float | None = None,
) -> list[np.ndarray]:
    """Greedy online linking of one video's boxes, whatever their class.

    As in ACT (Kalogeiton et al., 2017) with one box per tubelet: on every frame the
    open tracks, best mean score first, each take the best-scoring free box that
    overlaps their last box; boxes left over open new tracks. Equal scores keep the
    order given.

    Args:
        frames: (N,) int, frame of each box.
        boxes: (N, 4) xyxy, absolute pixels, right and bottom exclusive.
        scores: (N,) float, larger is better.
        iou_thr: smallest box IoU for a link.
        max_gap: largest distance in frames between two linked boxes; 1 bridges no
            missing frame. Whole-video masks come from interleaved clips, so the mask
            can flicker with period 2 and values below 2 cut tracks to pieces.
        min_len: shortest track kept, in frames, filled ones included.
        topk: best boxes of a frame that take part.
        min_score: smallest mean score of a track kept (ACT: 0.01, MOC: 0.005); None
            keeps all.
        min_end_score: a finished track is shortened until it begins and ends with
            boxes of at least this score, weaker ones inside stay; None keeps its
            extent. With masks the score is the mean probability inside the box, which
            is the only sign of an action's begin and end.

    Returns:
        For each track, sorted by their first frame, (L,) int indices of its boxes in
        order of time.
    """
    frames, boxes, scores = _arrays(frames, boxes, scores)
    order = np.lexsort((-scores, frames))
    _, begins = np.unique(frames[order], return_index=True)
    rank = np.arange(len(order)) - np.repeat(begins, np.diff([*begins, len(order)]))
    order = order[rank < topk]
    near = _near_boxes(frames, boxes, order, iou_thr, max_gap)
    score_of, frame_of = scores.tolist(), frames.tolist()
    _, begins = np.unique(frames[order], return_index=True)
    done: list[_OpenTrack] = []
    alive: list[_OpenTrack] = []
    for best_first in np.split(order, begins[1:]) if len(order) else []:
        free = dict.fromkeys(best_first.tolist())
        frame = frame_of[best_first[0]]
        oldest = frame - max_gap
        done += [track for track in alive if frame_of[track.members[-1]] < oldest]
        alive = [track for track in alive if frame_of[track.members[-1]] >= oldest]
        for track in sorted(alive, key=lambda track: -track.mean_score):
            for chosen in near.get((track.members[-1], frame), ()):
                if chosen in free:
                    del free[chosen]
                    track.add(chosen, score_of[chosen])
                    break
        alive += [_OpenTrack(index, score_of[index]) for index in free]
    linked = [np.array(track.members) for track in done + alive]
    if min_end_score is not None:
        linked = [_without_weak_ends(m, scores[m] >= min_end_score) for m in linked]
    linked = [
        m
        for m in linked
        if len(m)
        and frames[m[-1]] - frames[m[0]] + 1 >= min_len
        and (min_score is None or sum(scores[m]) / len(m) >= min_score)
    ]
    return sorted(linked, key=lambda m: frames[m[0]])


def _near_boxes(frames, boxes, order, iou_thr, max_gap) -> dict:
    """For each box and later frame, the boxes there that overlap it, best first."""
    near: dict[tuple[int, int], list[int]] = {}
    for gap in range(1, max_gap + 1):
        i, j = pairs_with_equal_key(frames[order] + gap, frames[order])
        close = box_iou(boxes[order[i]], boxes[order[j]]) >= iou_thr
        i, j = order[i[close]], order[j[close]]
        for a, frame, b in zip(i.tolist(), frames[j].tolist(), j.tolist()):
            near.setdefault((a, frame), []).append(b)
    return near


def fill_gaps(frames: np.ndarray, boxes: np.ndarray) -> tuple[int, np.ndarray]:
    """Give every frame between the first and the last a box, linearly interpolated.

    Args:
        frames: (n,) int, ascending, n >= 1.
        boxes: (n, 4).

    Returns:
        The first frame and (L, 4) float64 boxes, L = last - first frame + 1.
    """
    every = np.arange(frames[0], frames[-1] + 1)
    sides = [np.interp(every, frames, side) for side in boxes.T]
    return int(frames[0]), np.stack(sides, axis=1)


def _without_weak_ends(members: np.ndarray, strong: np.ndarray) -> np.ndarray:
    if not strong.any():
        return members[:0]
    first, last = np.flatnonzero(strong)[[0, -1]]
    return members[first : last + 1]


def _arrays(frames, boxes, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.asarray(frames, np.int64),
        np.asarray(boxes, np.float64).reshape(-1, 4),
        np.asarray(scores, np.float64),
    )
