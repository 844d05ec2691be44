"""Compute a training step again in which something was not finite.

python tools/recompute_step.py CONFIG work_dirs/NAME/non_finite_rank0.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmaction.registry import MODELS
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.registry import init_default_scope

import ssvad  # noqa: F401  (first: mends and registers)
from ssvad.apis.model_loading import read_config
from ssvad.engine.non_finite_hook import name_clips
from ssvad.engine.step_record import from_plain, load_record, recompute


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compute a training step again in which something was not finite.'
    )
    parser.add_argument('config', help='config file of the run; it is code, and is run')
    parser.add_argument('record', help='non_finite_rank<r>.pth; runs no code')
    parser.add_argument('--device', default=get_device(), help='cpu, cuda, cuda:1, ...')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, key=value, as in training',
    )
    return parser.parse_args(argv)


def report(args: argparse.Namespace) -> None:
    """Print clips, recorded and recomputed losses, and parameters.

    Raises:
        ValueError: If the record is none or does not fit the config.
    """
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    record = load_record(args.record)
    model = MODELS.build(cfg.model).to(args.device)
    try:
        losses, parameters = recompute(model, record)
    except RuntimeError as error:
        raise ValueError(f'{args.record} does not fit the config: {error}') from error
    progress = record['progress']
    print(f'epoch {progress["epoch"] + 1}, iteration {progress["iter"] + 1}')
    for part, values in zip(record['passes'], losses):
        print('clips:', *name_clips(from_plain(part['batch'])), sep='\n  ')
        for name, value in values.items():
            print(f'{name}: recorded {part["losses"][name]}, recomputed {value}')
    print(
        f'parameters whose gradient is not finite: {len(parameters)}', *parameters[:9]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    try:
        report(parse_args(argv))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from error


if __name__ == '__main__':
    main()
