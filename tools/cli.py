"""What the command lines of training and testing have in common."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.runner import Runner
from torch.utils.data._utils.signal_handling import _error_if_any_worker_fails

from ssvad.compat import prepare_distributed
from ssvad.engine import CheckpointCheckHook
from ssvad.visualization.backend_names import expand_backend_names


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, exit status 2."""

    def error(self, message: str) -> None:
        """Print one line to standard error and leave."""
        self.exit(2, f'{self.prog}: error: {message}\n')


def make_parser(description: str) -> Parser:
    """Return a parser with the arguments every run has."""
    parser = Parser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder of logs and results (./work_dirs/<config name>)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings that override the config, key=value; lists as '
        'key="[a,b]" or key=a,b, nested as key="[(a,b),(c,d)]", without spaces',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes of a distributed run',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser


def load_config(parser: Parser, args: argparse.Namespace) -> Config:
    """Read the config and merge the arguments of :func:`make_parser` into it."""
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
        expand_backend_names(cfg)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = f'./work_dirs/{Path(args.config).stem}'
    return cfg


def check_checkpoint(parser: Parser, path: str) -> None:
    """Leave with a message if a local checkpoint does not exist."""
    if '://' not in path and not Path(path).expanduser().is_file():
        parser.error(f"checkpoint '{path}' not found")


def build_runner(parser: Parser, cfg: Config, partial: bool = False) -> Runner:
    """Build the runner of a config, on a GPU or on a plain CPU.

    Args:
        parser: Leaves with a message if the machine cannot do it.
        cfg: Config of the run, changed in place.
        partial: Whether a checkpoint that fits in part may be evaluated.
    """
    wrapper = (cfg.get('optim_wrapper') or {}).get('type')
    if wrapper == 'AmpOptimWrapper' and get_device() == 'cpu':
        parser.error(
            'mixed precision (--amp, AmpOptimWrapper) needs an accelerator and this '
            'machine has none'
        )
    try:
        prepare_distributed(cfg)
    except ValueError as error:
        parser.error(str(error))
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(CheckpointCheckHook(partial))
    return runner


def name_lost_worker() -> None:
    """Raise torch's error that names a loader worker which has been killed, if one was.

    While a worker hands over a batch, its end is first seen as a broken connection.
    """
    time.sleep(1)  # until the system has ended it
    _error_if_any_worker_fails()


def leave_process_group(status: int = 0) -> None:
    """Wait for the other processes of the run and leave them in good order.

    Threads of gloo that are still there when Python takes itself apart abort a rank now
    and then ("terminate called without an active exception"), and torchrun then kills
    the rest. Leaving the group is not always enough, since the wrapped model holds on
    to it; so such a process ends here, with everything written and this status.
    """
    if not torch.distributed.is_initialized():
        return
    gloo = torch.distributed.get_backend() == 'gloo'
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    if gloo:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
