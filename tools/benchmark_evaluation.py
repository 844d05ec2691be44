"""Seconds and memory of the evaluation, beside loops as the originals have them.

    python tools/benchmark_evaluation.py    # size of UCF101-24's test set, 2 minutes
    python tools/benchmark_evaluation.py --small     # seconds, only to see it run

The set is tests/data/eval_public over and over; nothing is read from files. The loops
of benchmark_loops.py run on the first videos, times the number of boxes (tubes; frames
for linking). Loop and package take turns; CPU seconds. Memory is what a call allocates
at most. It is also the part 'evaluation' of benchmark.py.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark_loops import (  # noqa: E402
    CLASSES,
    THRS,
    VideoSet,
    loop_capsule,
    loop_frame_ap,
    loop_linking,
    loop_video_ap,
)
from detections.linking import link_by_class  # noqa: E402
from ssvad.evaluation import capsule_recall as capsule  # noqa: E402
from ssvad.evaluation.detections import boxes_of_tubes, concatenate_boxes  # noqa: E402
from ssvad.evaluation.frame_ap import frame_ap  # noqa: E402
from ssvad.evaluation.tubes import Tube  # noqa: E402
from ssvad.evaluation.video_ap import video_ap  # noqa: E402
from tests.evaluation import golden  # noqa: E402

TEST_SET_FRAMES = 159_289
MOC = dict(iou_thr=0.5, max_gap=1, min_len=15, topk=10)


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


class Compared(NamedTuple):
    """Seconds of a loop and of the package on the whole set, and memory in MB.

    ``loop_mb`` and ``same_mb`` are both for the videos that the loop ran on, and
    ``full_mb`` is for the package on all of them.
    """

    name: str
    loop: float
    package: float
    loop_mb: float
    same_mb: float
    full_mb: float


def seconds(calls: Sequence[Callable], repeats: int) -> list[float]:
    """Median CPU seconds of calls that take turns."""
    times = []
    for _ in range(repeats):
        for call in calls:
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
    return [statistics.median(times[k :: len(calls)]) for k in range(len(calls))]


def megabytes(call: Callable) -> float:
    """What a call allocates at most."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def compare(name: str, calls: Sequence[Callable], factors, repeats: int) -> Compared:
    """Compare loop, package on the loop's data, package; times get the factors."""
    # else their times do not compare; this also warms up
    loop, package = (np.array(call(), float) for call in calls[:2])
    np.testing.assert_allclose(package, loop, atol=1e-9, err_msg=name)
    times = np.multiply(seconds([calls[0], calls[2]], repeats), factors)
    return Compared(name, *times.tolist(), *map(megabytes, calls))


def exponent(call: Callable, sets: Sequence[VideoSet], repeats: int) -> float:
    """Slope of log time over log number of boxes."""
    times = seconds([functools.partial(call, data) for data in sets], repeats)
    sizes = [len(data.boxes.label) for data in sets]
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def crowded(data: VideoSet, times: int) -> VideoSet:
    """Every box that many times on its frame, shifted and scored anew."""
    rng = np.random.default_rng(0)
    boxes = concatenate_boxes([data.boxes] * times)
    shift = np.tile(rng.normal(0, 4, (len(boxes.label), 2)), 2)
    scores = boxes.scores * rng.uniform(0.5, 1, len(boxes.label))
    return data._replace(boxes=boxes._replace(boxes=boxes.boxes + shift, scores=scores))


class Benchmark:
    """A set of that many frames, and the first of its videos, on which loops run."""

    def __init__(self, num_frames: int, repeats: int):
        self.full, self.repeats = make_set(num_frames), repeats
        small = num_frames < TEST_SET_FRAMES
        self.some = self.full.first(2 if small else 60)
        self.masks = dict(frames=10, side=56) if small else dict(frames=150, side=224)

    def compared(self) -> Iterator[Compared]:
        """Every part of the evaluation against its loop."""
        for name, (loop, package, size) in PARTS.items():
            on_some = [functools.partial(call, self.some) for call in (loop, package)]
            calls = [*on_some, functools.partial(package, self.full)]
            factors = size(self.full) / size(self.some), 1
            yield compare(name, calls, factors, self.repeats)
        for name, (loop, package) in capsule_calls(**self.masks).items():
            factors = [sum(self.full.num_frames) / self.masks['frames']] * 2
            yield compare(name, [loop, package, package], factors, self.repeats)

    def growth(self) -> Iterator[tuple[str, float, float]]:
        """Exponent of the time over the number of boxes, of loop and package.

        The loops get sets of a sixteenth of the size.
        """
        videos = [len(data.num_frames) for data in (self.some, self.full)]
        fewer, more = (
            [self.full.first(-(-num // part)) for part in (8, 4, 2, 1)]
            for num in videos
        )
        crowds = [crowded(self.some, times) for times in (1, 2, 4)]
        for name, part, of_loop, of_package in (
            ('frame-AP, more videos', 'frame-AP', fewer, more),
            ('linking, more videos', 'linking', fewer, more),
            ('frame-AP, more boxes a frame', 'frame-AP', crowds, crowds),
            ('linking, more boxes a frame', 'linking', crowds, crowds),
        ):
            loop, package, _ = PARTS[part]
            yield (
                name,
                exponent(loop, of_loop, self.repeats),
                exponent(package, of_package, self.repeats),
            )

    def __str__(self) -> str:
        return (
            f'{len(self.full.num_frames)} videos, {sum(self.full.num_frames)} frames, '
            f'{len(self.full.boxes.label)} boxes, {len(self.full.tubes)} tubes, '
            f'{len(THRS)} thresholds, {CLASSES} classes\nloops: the first '
            f'{len(self.some.num_frames)} videos, extrapolated linearly; capsule: '
            f'{self.masks}, both extrapolated; medians of {self.repeats}'
        )


def evaluation(args: argparse.Namespace, clock: object) -> Iterator[tuple]:
    """The part of benchmark.py: rows (name, loop, package); CPU seconds throughout."""
    benchmark = Benchmark(args.test_frames, args.repeats)
    for row in benchmark.compared():
        yield f'evaluation, {row.name} (s)', row.loop, row.package
        yield f'evaluation, {row.name} (MB)', row.loop_mb, row.same_mb
    for name, *exponents in benchmark.growth():
        yield (f'evaluation, {name} (exponent)', *exponents)


def main(argv=None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description='Seconds and memory of the evaluation')
    parser.add_argument('--small', action='store_true', help='a fiftieth of it')
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args(argv)
    benchmark = Benchmark(TEST_SET_FRAMES // (50 if args.small else 1), args.repeats)
    print(
        f'{benchmark}\n\n'
        '| what | loop, s | package, s | loop / package | loop, MB | package, MB '
        '| package on all videos, MB |\n|---|---|---|---|---|---|---|'
    )
    for row in benchmark.compared():
        times = f'{row.loop:.3g} | {row.package:.3g} | {row.loop / row.package:.1f}'
        memory = ' | '.join(f'{value:.2g}' for value in row[3:])
        print(f'| {row.name} | {times} | {memory} |', flush=True)
    print('\n| growth with the number of boxes | loop | package |\n|---|---|---|')
    for name, loop, package in benchmark.growth():
        print(f'| {name} | {loop:.2f} | {package:.2f} |', flush=True)


if __name__ == '__main__':
    main()
