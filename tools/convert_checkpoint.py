"""Convert published weights to the names of this package.

    python tools/convert_checkpoint.py rgb_charades.pt i3d_rgb_charades.pth
    python tools/convert_checkpoint.py released_detector.pth detector.pth

The first file is pytorch-i3d's, with which the published trainings begin, the second a
checkpoint of the released capsule detector; which of the two it is shows in its names.
The file is opened without running anything it names, must match name by name and shape
by shape, and is written whole or not at all.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import torch

import ssvad  # noqa: F401  (first: mends and registers)
from ssvad.models.reference_weights import Report, convert, find_kind, read_state

I3D_PATH = 'data/pretrained/i3d_rgb_charades.pth'


def save_whole(content: dict, path: Path) -> None:
    """Write a file that is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    try:
        torch.save(content, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def report_lines(report: Report) -> list[str]:
    """Counts, groups that are left out, then the names that did not fit."""
    groups = Counter(key.split('.')[0] for key in report.left_out)
    lines = [
        f'{len(report.matched)} matched, {len(report.missing)} missing, '
        f'{len(report.unexpected)} unexpected, {len(report.left_out)} left out',
    ]
    lines += [f'left out: {group} ({n})' for group, n in groups.items()]
    if report.filled:
        lines.append(f'{len(report.filled)} num_batches_tracked not in the file, now 0')
    lines += [f'missing: {name}' for name in report.missing]
    lines += [f'unexpected: {name}' for name in report.unexpected]
    return lines


def advice(kind: str, num_classes: int, prefix: str, out: Path) -> str:
    """Say what to do with the file."""
    if kind == 'i3d':
        return (
            f'The configs of the paper look for it at {I3D_PATH}, or where the '
            'environment variable SSVAD_I3D says.'
        )
    data = {24: 'ucf24', 21: 'jhmdb21'}.get(num_classes)
    config = f'configs/{data}_{"semi_var" if prefix else "sup"}.py'
    return (
        f'Evaluate it: python tools/test.py {config if data else "CONFIG"} {out}\n'
        f'Train on from it: load_from={str(out)!r} in a config of {num_classes} '
        'classes; names in a SemiDetector begin with detector., which --prefix adds.'
    )


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert published weights to the names of this package.'
    )
    parser.add_argument('source', type=Path, help='published file')
    parser.add_argument('out', type=Path, help=f'file to write, e.g. {I3D_PATH}')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='write what fits although weights are missing or left over',
    )
    parser.add_argument(
        '--prefix',
        default='',
        choices=['detector.'],
        help='put this before the names of a detector, for configs with SemiDetector',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        state = read_state(args.source)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    if args.out.exists() and args.out.samefile(args.source):
        raise SystemExit(f'{args.out}: is the file to read; write to another one')
    try:
        kind = find_kind(state)
        converted, report = convert(state, args.allow_partial)
    except ValueError as error:
        raise SystemExit(f'{args.source}: nothing written: {error}') from error
    if args.prefix and kind != 'detector':
        raise SystemExit(f'{args.source}: holds a backbone, which takes no --prefix')
    named = {args.prefix + name: value for name, value in converted.items()}
    meta = dict(source=args.source.name, kind=kind)
    save_whole(dict(state_dict=named, meta=meta), args.out)
    print('\n'.join(report_lines(report)))
    print(f'{kind}: {len(named)} entries -> {args.out}')
    num_classes = len(converted.get('head.routing.beta_a', ()))
    print(advice(kind, num_classes, args.prefix, args.out))


if __name__ == '__main__':
    main()
