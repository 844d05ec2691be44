"""Frame-AP, video-AP, linking and capsule counts as loops, as the originals have them.

They go through classes, thresholds, videos and frames as ACT, MOC and the released
capsule evaluator do, with NumPy for one box or tube at a time. benchmark_evaluation.py
runs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ssvad.evaluation.average_precision import average_precision  # noqa: E402
from ssvad.evaluation.boxes import box_iou  # noqa: E402
from ssvad.evaluation.capsule_recall import THRESHOLDS  # noqa: E402
from ssvad.evaluation.detections import boxes_of_tubes  # noqa: E402
from ssvad.evaluation.frame_ap import FrameBoxes  # noqa: E402
from ssvad.evaluation.tubes import Tube  # noqa: E402
from tests.evaluation import golden  # noqa: E402

CLASSES, THRS = golden.NUM_CLASSES, golden.VIDEO_THRS


class VideoSet(NamedTuple):
    """Truth and detections of V videos; `num_frames` (V,) of each."""

    gt: list[Tube]
    tubes: list[Tube]
    boxes: FrameBoxes
    num_frames: list[int]

    def first(self, num: int) -> VideoSet:
        """The first videos."""
        gt, tubes = ([t for t in part if t.video < num] for part in self[:2])
        boxes = self.boxes.take(np.flatnonzero(self.boxes.video < num))
        return VideoSet(gt, tubes, boxes, self.num_frames[:num])


def loop_frame_ap(data: VideoSet) -> np.ndarray:
    """Frame-AP (A, K), a pass for each threshold and class."""
    gt, det = boxes_of_tubes(data.gt), data.boxes
    result = np.full((len(THRS), CLASSES), np.nan)
    for row, thr in enumerate(THRS):
        for label in np.unique(gt.label):
            one, mine = gt.label == label, det.label == label
            left, hits = {}, []
            for *place, box in zip(gt.video[one], gt.frame[one], gt.boxes[one]):
                left.setdefault(tuple(place), []).append(box)
            places, boxes = list(zip(det.video[mine], det.frame[mine])), det.boxes[mine]
            for k in np.argsort(-det.scores[mine], kind='stable'):
                near = left.get(places[k])
                iou = box_iou(np.array(near), boxes[k]) if near else np.zeros(1)
                hits.append(iou.max() >= thr)
                if hits[-1]:
                    del near[iou.argmax()]
            result[row, label] = average_precision(hits, one.sum())
    return result


def loop_tube_iou(a: Tube, b: Tube) -> float:
    """Temporal IoU times the mean box IoU on the shared frames."""
    ends = a.start + len(a.boxes), b.start + len(b.boxes)
    first, last = max(a.start, b.start), min(ends)
    if last <= first:
        return 0.0
    boxes = (t.boxes[first - t.start : last - t.start] for t in (a, b))
    return (last - first) / (max(ends) - min(a.start, b.start)) * box_iou(*boxes).mean()


def loop_video_ap(data: VideoSet) -> np.ndarray:
    """Video-AP (A, K), with the suppression done anew for each threshold."""
    result = np.full((len(THRS), CLASSES), np.nan)
    for row, thr in enumerate(THRS):
        truth, found = {}, {}
        for tubes, by_place in ((data.gt, truth), (data.tubes, found)):
            for tube in tubes:
                by_place.setdefault((tube.label, tube.video), []).append(tube)
        for label in sorted({tube.label for tube in data.gt}):
            left = {v: list(truth[c, v]) for c, v in truth if c == label}
            num_gt, kept = sum(map(len, left.values())), []
            for video in range(len(data.num_frames)):
                mine = sorted(found.get((label, video), []), key=lambda t: -t.score)
                while mine:
                    kept.append(mine.pop(0))
                    mine = [t for t in mine if loop_tube_iou(kept[-1], t) <= 0.3]
            hits = []
            for tube in sorted(kept, key=lambda tube: -tube.score):
                near = left.get(tube.video, [])
                ious = [loop_tube_iou(tube, other) for other in near]
                hits.append(bool(ious) and max(ious) >= thr)
                if hits[-1]:
                    del near[int(np.argmax(ious))]
            result[row, label] = average_precision(hits, num_gt)
    return result


def loop_linking(data: VideoSet) -> list[tuple]:
    """MOC's linking of single frames: (video, class, first frame, length, score)."""
    tubes = []
    for video, num_frames in enumerate(data.num_frames):
        one = data.boxes.take(np.flatnonzero(data.boxes.video == video))
        by_frame = [one.take(np.flatnonzero(one.frame == f)) for f in range(num_frames)]
        for label in range(CLASSES):
            done, alive = [], []
            for frame, here in enumerate(by_frame):
                free = np.flatnonzero(here.label == label)
                free = free[np.argsort(-here.scores[free], kind='stable')[:10]]
                boxes, scores = here.boxes[free], here.scores[free]
                waiting = []
                alive.sort(key=lambda tube: -np.mean([link[2] for link in tube]))
                for tube in alive:
                    near = np.flatnonzero(box_iou(tube[-1][1], boxes) >= 0.5)
                    if len(near):
                        best = near[np.argmax(scores[near])]
                        tube.append((frame, boxes[best], scores[best]))
                        boxes = np.delete(boxes, best, axis=0)
                        scores = np.delete(scores, best)
                    (waiting if len(near) else done).append(tube)
                alive = waiting + [[(frame, *new)] for new in zip(boxes, scores)]
            for tube in done + alive:
                if len(tube) >= 15:
                    score = np.mean([link[2] for link in tube])
                    tubes.append((video, label, tube[0][0], len(tube), float(score)))
    return sorted(tubes)


def loop_capsule(prob: np.ndarray, gt: np.ndarray) -> np.ndarray:
    """Annotated frames whose IoU reaches each threshold, in 8-byte integers."""
    both, hits = (prob >= 0.5).astype(np.int64) + gt, np.zeros(20)
    for frame, truth in zip(both, gt):
        if np.sum(truth):
            iou = np.count_nonzero(frame == 2) / np.count_nonzero(frame > 0)
            for k, thr in enumerate(THRESHOLDS):
                hits[k] += iou >= thr
    return hits
