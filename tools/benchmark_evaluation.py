"""Seconds and memory of the evaluation, beside loops as the originals have them.

    python tools/benchmark_evaluation.py    # size of UCF101-24's test set, 2 minutes
    python tools/benchmark_evaluation.py --small     # seconds, only to see it run

The set is tests/data/eval_public over and over. The loops go through classes,
thresholds, videos and frames as ACT, MOC and the released capsule evaluator do, with
NumPy for one box or tube at a time; nothing is read from files. They run on the first
videos, times the number of boxes (tubes; frames for linking). Loop and package take
turns; CPU seconds. Memory is what a call of the package allocates at most.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detections.linking import link_by_class  # noqa: E402
from ssvad.evaluation import capsule_recall as capsule  # noqa: E402
from ssvad.evaluation.average_precision import average_precision  # noqa: E402
from ssvad.evaluation.boxes import box_iou  # noqa: E402
from ssvad.evaluation.detections import boxes_of_tubes, concatenate_boxes  # noqa: E402
from ssvad.evaluation.frame_ap import FrameBoxes, frame_ap  # noqa: E402
from ssvad.evaluation.tubes import Tube  # noqa: E402
from ssvad.evaluation.video_ap import video_ap  # noqa: E402
from tests.evaluation import golden  # noqa: E402

CLASSES, THRS = golden.NUM_CLASSES, golden.VIDEO_THRS
TEST_SET_FRAMES = 159_289
MOC = dict(iou_thr=0.5, max_gap=1, min_len=15, topk=10)


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


def make_set(num_frames: int) -> VideoSet:
    """The public videos over and over until there are that many frames."""
    lengths = [video['num_frames'] for video in golden.expected('videos')['videos']]
    num, copies = len(lengths), -(-num_frames // sum(lengths))
    # no ties between copies, which would be ranked by the order of the videos
    factor = np.random.default_rng(0).uniform(0.9, 1, copies)

    def repeat(tubes: list[Tube]) -> list[Tube]:
        pairs = ((c, tube) for c in range(copies) for tube in tubes)
        return [Tube(t.video + c * num, *t[1:4], t.score * factor[c]) for c, t in pairs]

    det = golden.det_boxes()
    boxes = concatenate_boxes(
        det._replace(video=det.video + c * num, scores=det.scores * factor[c])
        for c in range(copies)
    )
    enough = int(np.searchsorted(np.cumsum(lengths * copies), num_frames)) + 1
    gt, tubes = repeat(golden.gt_tubes()), repeat(golden.det_tubes())
    return VideoSet(gt, tubes, boxes, lengths * copies).first(enough)


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
            for k, thr in enumerate(capsule.THRESHOLDS):
                hits[k] += iou >= thr
    return hits


def package_frame_ap(data: VideoSet) -> np.ndarray:
    """What `loop_frame_ap` returns."""
    return frame_ap(boxes_of_tubes(data.gt), data.boxes, CLASSES, THRS)


def package_linking(data: VideoSet) -> list[tuple]:
    """What `loop_linking` returns."""
    tubes = link_by_class(data.boxes, data.num_frames, 'greedy', MOC)
    return sorted((t.video, t.label, t.start, len(t.boxes), t.score) for t in tubes)


PARTS = {  # name: (loop, package, what the loop's time is proportional to)
    'frame-AP': (loop_frame_ap, package_frame_ap, lambda data: len(data.boxes.label)),
    'video-AP': (
        loop_video_ap,
        lambda data: video_ap(data.gt, data.tubes, CLASSES, THRS),
        lambda data: len(data.tubes),
    ),
    'linking': (loop_linking, package_linking, lambda data: sum(data.num_frames)),
}


def capsule_calls(frames: int, side: int) -> dict[str, tuple[Callable, Callable]]:
    """Loop and package for random masks, a fifth of their frames without truth."""
    rng = np.random.default_rng(0)
    prob, noise = rng.random((2, frames, side, side), np.float32)
    gt = prob + noise > 1.2
    gt[: frames // 5] = False
    bits = capsule.pack_frames(prob >= 0.5), capsule.pack_frames(gt)

    def hits(count: Callable) -> np.ndarray:
        video = capsule.CapsuleVideo(0, 0, count())
        share, _, num, *_ = capsule.capsule_recall([video], 1)
        return share[0] * num[0]

    counts = {
        'capsule counts': lambda: capsule.count_frames(prob >= 0.5, gt),
        'capsule counts, stored bits': lambda: capsule.count_bits(*bits),
    }
    loop = functools.partial(loop_capsule, prob, gt.astype(np.int64))
    return {name: (loop, functools.partial(hits, counts[name])) for name in counts}


def seconds(calls: Sequence[Callable], repeats: int) -> list[float]:
    """Median CPU seconds of calls that take turns."""
    times = []
    for _ in range(repeats):
        for call in calls:
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
    return [statistics.median(times[k :: len(calls)]) for k in range(len(calls))]


def print_row(name: str, calls: Sequence[Callable], factors, repeats: int) -> None:
    """Compare loop, package on the loop's data, package; times get the factors."""
    # else their times do not compare; this also warms up
    loop, package = (np.array(call(), float) for call in calls[:2])
    np.testing.assert_allclose(package, loop, atol=1e-9, err_msg=name)
    tracemalloc.start()
    calls[2]()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    loop, package = np.multiply(seconds([calls[0], calls[2]], repeats), factors)
    cells = f'{loop:.3g} | {package:.3g} | {loop / package:.1f} | {peak:.1f}'
    print(f'| {name} | {cells} |', flush=True)


def print_growth(name: str, call: Callable, sets: list[VideoSet], repeats: int) -> None:
    """Exponent of the time over the number of boxes, and the times."""
    times = seconds([functools.partial(call, data) for data in sets], repeats)
    sizes = [len(data.boxes.label) for data in sets]
    slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
    listed = ', '.join(f'{t:.3g} ({n})' for t, n in zip(times, sizes))
    print(f'| {name} | {slope:.2f} | {listed} |', flush=True)


def crowded(data: VideoSet, times: int) -> VideoSet:
    """Every box that many times on its frame, shifted and scored anew."""
    rng = np.random.default_rng(0)
    boxes = concatenate_boxes([data.boxes] * times)
    shift = np.tile(rng.normal(0, 4, (len(boxes.label), 2)), 2)
    scores = boxes.scores * rng.uniform(0.5, 1, len(boxes.label))
    return data._replace(boxes=boxes._replace(boxes=boxes.boxes + shift, scores=scores))


def main(argv=None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description='Seconds and memory of the evaluation')
    parser.add_argument('--small', action='store_true', help='a fiftieth of it')
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args(argv)
    full = make_set(TEST_SET_FRAMES // (50 if args.small else 1))
    some = full.first(4 if args.small else 60)
    videos, frames = len(full.num_frames), sum(full.num_frames)
    masks = dict(frames=10, side=56) if args.small else dict(frames=150, side=224)
    print(
        f'{videos} videos, {frames} frames, {len(full.boxes.label)} boxes, '
        f'{len(full.tubes)} tubes, {len(THRS)} thresholds, {CLASSES} classes\n'
        f'loops: the first {len(some.num_frames)} videos, extrapolated linearly; '
        f'capsule: {masks}, both extrapolated; medians of {args.repeats}\n\n'
        '| what | loop, s | package, s | loop / package | package, MB |\n'
        '|---|---|---|---|---|'
    )
    for name, (loop, package, size) in PARTS.items():
        on_some = [functools.partial(call, some) for call in (loop, package)]
        calls = [*on_some, functools.partial(package, full)]
        print_row(name, calls, (size(full) / size(some), 1), args.repeats)
    for name, (loop, package) in capsule_calls(**masks).items():
        factors = [frames / masks['frames']] * 2
        print_row(name, [loop, package, package], factors, args.repeats)

    print('\n| growth | exponent | seconds (boxes) |\n|---|---|---|')
    more = [full.first(videos // part) for part in (16, 8, 4, 2, 1) if part <= videos]
    print_growth('frame-AP, videos', package_frame_ap, more, args.repeats)
    print_growth('linking, videos', package_linking, more, args.repeats)
    more = [crowded(some, times) for times in (1, 2, 4, 8)]
    print_growth('frame-AP, boxes a frame', package_frame_ap, more, args.repeats)


if __name__ == '__main__':
    main()
