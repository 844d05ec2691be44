"""Train a model: ``python tools/train.py CONFIG [--work-dir DIR] [--resume]``."""

from __future__ import annotations

import argparse

import ssvad  # noqa: F401  (first: mends and registers)
from cli import (
    Parser,
    build_runner,
    check_checkpoint,
    leave_process_group,
    load_config,
    make_parser,
    name_lost_worker,
)
from ssvad.engine import CheckpointError
from ssvad.engine.whole_file_backend import DISK_FULL


def parse_args() -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = make_parser('Train a model')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a path from the newest one of the '
        'work folder',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision (accelerator)'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size',
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='another seed for every rank'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='deterministic algorithms'
    )
    return parser, parser.parse_args()


def merge_args(parser: Parser, args: argparse.Namespace, cfg) -> None:
    """Write the training arguments into the config."""
    if args.resume == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif args.resume is not None:
        check_checkpoint(parser, args.resume)
        cfg.resume, cfg.load_from = True, args.resume

    if args.amp:
        wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
            parser.error(f"--amp works with OptimWrapper, the config has '{wrapper}'")
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')

    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None

    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            parser.error(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the '
                'config'
            )
        cfg.auto_scale_lr.enable = True

    cfg.randomness = dict(cfg.get('randomness') or {})
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    if args.diff_rank_seed:
        cfg.randomness.diff_rank_seed = True
    if args.deterministic:
        cfg.randomness.deterministic = True


def main() -> None:
    """Train."""
    parser, args = parse_args()
    cfg = load_config(parser, args)
    merge_args(parser, args, cfg)
    runner = build_runner(parser, cfg)
    try:
        runner.train()
    except CheckpointError as error:
        parser.error(str(error))
    except (ConnectionError, EOFError):
        name_lost_worker()
        raise
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        message = f'{error}. Make room and go on with --resume: nothing is lost'
        parser.exit(1, f'{parser.prog}: error: {message}\n')
    except SystemExit as stop:  # a signal asked for it
        leave_process_group(stop.code)
        raise
    leave_process_group()


if __name__ == '__main__':
    main()
