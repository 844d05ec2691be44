"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

from __future__ import annotations

import argparse
from pickle import UnpicklingError
from zipfile import BadZipFile

import ssvad  # noqa: F401  (first: mends and registers)
from cli import (
    Parser,
    build_runner,
    check_checkpoint,
    leave_process_group,
    load_config,
    make_parser,
)
from ssvad.engine import CheckpointError


def parse_args() -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = make_parser('Evaluate a checkpoint')
    parser.add_argument('checkpoint', help='checkpoint file or address')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='evaluate a checkpoint that has not all weights of the model, or others: '
        'what is missing stays random',
    )
    parser.add_argument(
        '--dump',
        help='write everything the model predicts to this .pkl file (masks are large)',
    )
    return parser, parser.parse_args()


def merge_args(parser: Parser, args: argparse.Namespace, cfg) -> None:
    """Write the testing arguments into the config."""
    check_checkpoint(parser, args.checkpoint)
    cfg.load_from = args.checkpoint
    # each process infers with a whole model, also one that was trained in parts
    for key in ('runner_type', 'strategy'):
        cfg.pop(key, None)

    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            parser.error(f"--dump writes a .pkl file, got '{args.dump}'")
        dump = dict(type='DumpResults', out_file_path=args.dump)
        evaluator = cfg.test_evaluator
        if not isinstance(evaluator, (list, tuple)):
            evaluator = [evaluator]
        cfg.test_evaluator = [*evaluator, dump]


def main() -> None:
    """Evaluate."""
    parser, args = parse_args()
    cfg = load_config(parser, args)
    merge_args(parser, args, cfg)
    runner = build_runner(parser, cfg, args.allow_partial)
    try:
        runner.test()
    except CheckpointError as error:
        parser.error(str(error))
    except (UnpicklingError, BadZipFile) as error:
        parser.error(f'{args.checkpoint} cannot be read as a checkpoint: {error}')
    leave_process_group()


if __name__ == '__main__':
    main()
