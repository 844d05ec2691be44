"""Plain and fast implementation side by side, as ratios.

    python tools/benchmark.py                       # as docs/performance.md, minutes
    python tools/benchmark.py --parts maps --size 64 --repeats 1
    python tools/benchmark.py --device cuda --precision bfloat16
    python tools/benchmark.py --threads 1 --cpu-time    # on a busy machine

``plain`` is the network layer by layer as published, with the consistency losses of the
released code in NumPy; ``fast`` is what this package does by default. Both take turns
in one process on the same inputs, and what counts is the ratio of the medians: other
work on the machine makes both slower. benchmark_data.py says more about loading.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import statistics
import time
from collections.abc import Callable

import torch

import ssvad  # noqa: F401  (first: mends and registers)
from benchmark_parts import PARTS, peak_memory


class Clock:
    """Seconds of a call, with the device's queue empty at both ends.

    With ``cpu_time`` what counts is the time that this process spent on processors, all
    threads together, which other work on the machine hardly changes.
    """

    def __init__(self, device: str, precision: str, cpu_time: bool = False):
        self.device = device
        self.now = time.process_time if cpu_time else time.perf_counter
        self.autocast = (
            contextlib.nullcontext
            if precision == 'float32'
            else lambda: torch.autocast(device, getattr(torch, precision))
        )

    def seconds(self, call: Callable) -> float:
        """Time one call."""
        self._wait()
        start = self.now()
        with self.autocast():
            call()
        self._wait()
        return self.now() - start

    def medians(self, calls: list[Callable], repeats: int) -> list[float]:
        """Median seconds of calls that take turns; a first round does not count."""
        rounds = [[self.seconds(call) for call in calls] for _ in range(repeats + 1)]
        return [statistics.median(times) for times in zip(*rounds[1:])]

    def _wait(self) -> None:
        if self.device == 'cuda':
            torch.cuda.synchronize()


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Plain and fast implementation side by side.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--batch', type=int, default=2, help='clips, half labelled')
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--size', type=int, default=224, help='rows and columns')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--precision', choices=('float32', 'bfloat16', 'float16'), default='float32'
    )
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='count processor time of this process, not elapsed time; with --threads 1',
    )
    parser.add_argument(
        '--test-frames',
        type=int,
        default=159289,
        help='frames of the evaluated videos',
    )
    parser.add_argument('--peak-memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.cpu_time and args.device != 'cpu':
        parser.error('--cpu-time counts no work of a GPU; leave it out')
    return args


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.threads)
    clock = Clock(args.device, args.precision, args.cpu_time)
    if args.peak_memory_of:
        print(peak_memory(args, clock, args.peak_memory_of))
        return
    print(
        f'{args.batch} clips of {args.frames} x {args.size} x {args.size}, '
        f'{args.device}, {args.precision}, {args.threads} threads, '
        f'torch {torch.__version__}, medians of {args.repeats}'
        f'{" in processor time" if args.cpu_time else ""}\n'
    )
    print('| what | plain | fast | plain / fast |\n|---|---|---|---|', flush=True)
    for part in args.parts:
        for name, plain, fast in PARTS[part](args, clock):
            exponent = part == 'growth' or name.endswith('(exponent)')
            ratio = '' if exponent else f'{plain / fast:.2f}'
            print(f'| {name} | {plain:.3g} | {fast:.3g} | {ratio} |', flush=True)


if __name__ == '__main__':
    main()
