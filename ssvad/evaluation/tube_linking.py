"""Joining the boxes of consecutive frames into tracks."""

from __future__ import annotations

import numpy as np

from .boxes import box_iou
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
    frames: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    iou_thr: float = 0.3,
    max_gap: int = 5,
    min_len: int = 15,
    topk: int = 10,
) -> list[Track]:
    """Greedy online linking of one video's boxes, whatever their class.

    As in ACT (Kalogeiton et al., 2017) with one box per tubelet: on every frame the
    open tracks, best mean score first, each take the best-scoring free box that
    overlaps their last box; boxes left over open new tracks. Frames without a box
    inside a track are filled by linear interpolation.

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

    Returns:
        Tracks sorted by their first frame; score = mean score of the linked boxes.
    """
    frames, scores = np.asarray(frames, np.int64), np.asarray(scores, np.float64)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    by_frame = np.lexsort((-scores, frames))
    _, begins = np.unique(frames[by_frame], return_index=True)
    done: list[_OpenTrack] = []
    alive: list[_OpenTrack] = []
    for best_first in np.split(by_frame, begins[1:]) if len(frames) else []:
        free = list(best_first[:topk])
        oldest = frames[best_first[0]] - max_gap
        done += [track for track in alive if frames[track.members[-1]] < oldest]
        alive = [track for track in alive if frames[track.members[-1]] >= oldest]
        for track in sorted(alive, key=lambda track: -track.mean_score):
            overlap = box_iou(boxes[track.members[-1]], boxes[free]) >= iou_thr
            if overlap.any():
                chosen = free.pop(int(overlap.argmax()))
                track.add(chosen, scores[chosen])
        alive += [_OpenTrack(index, scores[index]) for index in free]
    tracks = [_fill_gaps(t, frames, boxes) for t in done + alive]
    tracks = [track for track in tracks if len(track.boxes) >= min_len]
    return sorted(tracks, key=lambda track: track.start)


def _fill_gaps(track: _OpenTrack, frames: np.ndarray, boxes: np.ndarray) -> Track:
    known = frames[track.members]
    every = np.arange(known[0], known[-1] + 1)
    sides = [np.interp(every, known, side) for side in boxes[track.members].T]
    return Track(int(known[0]), np.stack(sides, axis=1), float(track.mean_score))
