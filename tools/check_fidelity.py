"""One training step beside the recorded one of the released code.

    python tools/check_fidelity.py             # minutes on a CPU, 5 GB
    python tools/check_fidelity.py --float32   # half of both

Runs our preset of the released configuration (configs/reference) on weights and clips
that are defined by formulas, at full size, and prints every loss term and the gradient
norm of every group of parameters beside the value that the released code gave in
float64. Needs the repository: inputs and values are those of the tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import ssvad  # noqa: F401  (first: mends and registers)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import golden_step  # noqa: E402

LOSSES = ('total', 'localisation', 'class', 'consistency')
# what cancels in the routing leaves rounding behind: true size 1e-6 and less
CANCELS = ('primary_caps.a.weight', 'primary_caps.a.bias')


def compare(case: str, dtype: torch.dtype) -> Iterator[tuple[str, float, float]]:
    """Run the step of one case.

    Args:
        case: Key of ``tests.golden_step.CASES``.
        dtype: Of weights and clips.

    Returns:
        Rows (name, ours, released).
    """
    found = golden_step.ours(case, dtype)
    expected = golden_step.expected(case)
    for name, *values in zip(
        LOSSES, golden_step.loss_row(found.losses), expected['losses']
    ):
        yield f'loss, {name}', *values
    for name, norm in zip(expected['gradnorm_names'], expected['gradnorms']):
        ours = golden_step.gradient_norm(found.gradients, name)
        yield f'gradient norm, {name}', ours, norm


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='One training step beside the recorded one of the released code.'
    )
    parser.add_argument(
        '--float32', action='store_true', help='compute in float32 instead of float64'
    )
    parser.add_argument(
        '--cases',
        nargs='+',
        choices=list(golden_step.CASES),
        default=list(golden_step.CASES),
        help='epoch 3 with both attentions, epoch 12 with variance (default: both)',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    dtype, limit = (torch.float32, 2e-3) if args.float32 else (torch.float64, 1e-8)
    worst = 0.0
    for case in args.cases:
        began = time.perf_counter()
        print(f'\n| {case} | ours | released | relative difference |')
        print('|---|---|---|---|', flush=True)
        for name, ours, released in compare(case, dtype):
            difference = abs(ours / released - 1)
            print(f'| {name} | {ours:.10g} | {released:.10g} | {difference:.1e} |')
            if not name.endswith(CANCELS):
                worst = max(worst, difference)
        print(f'\n{time.perf_counter() - began:.0f} s')
    print(f'largest relative difference: {worst:.1e}, limit {limit:.0e}')
    print(f'(not counted, because they cancel to rounding: {", ".join(CANCELS)})')
    if worst > limit:
        raise SystemExit('the step is NOT the released one')


if __name__ == '__main__':
    main()
