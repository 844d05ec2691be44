"""What a training step of a config costs: ``python tools/method_cost.py CONFIG``.

Trains for some steps and prints, as JSON, the processor's ``seconds`` of the median
step without loading, and how many clips a step sends through the backbone:
``learning`` with a backward pass to follow, ``only_seen`` without (a teacher's).
The seconds are of the whole process, so use one thread (OMP_NUM_THREADS=1) to compare
methods; other work on the machine then matters little.
"""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook

import ssvad  # noqa: F401  (first: mends and registers)
from cli import build_runner, load_config, make_parser


class CostHook(Hook):
    """Time steps and count the clips of all backbones.

    Args:
        warm_up: Steps that do not count.
    """

    priority = 'LOWEST'

    def __init__(self, warm_up: int):
        self.warm_up = warm_up
        self.seconds: list[float] = []
        self.clips = {True: 0, False: 0}  # with gradient or not

    def before_train(self, runner) -> None:
        """Listen to the backbones."""
        for name, module in runner.model.named_modules():
            if name.split('.')[-1] == 'backbone':
                module.register_forward_hook(self._count)

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        """Start the clock; loading is over."""
        self.began = time.process_time()

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        """Stop it; teachers have moved."""
        self.seconds.append(time.process_time() - self.began)

    def _count(self, module, inputs, output) -> None:
        self.clips[torch.is_grad_enabled()] += len(inputs[0])

    def report(self) -> dict:
        """Seconds and clips of a step."""
        learning, only_seen = (self.clips[grad] for grad in (True, False))
        steps = len(self.seconds)
        return dict(
            seconds=round(statistics.median(self.seconds[self.warm_up :]), 4),
            learning=learning // steps,
            only_seen=only_seen // steps,
        )


def main() -> None:
    """Run the tool."""
    parser = make_parser('What a training step of a config costs')
    parser.add_argument('--out', help='write the JSON to this file, too')
    args = parser.parse_args()
    cfg = load_config(parser, args)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint = None
    cfg.visualizer = None
    logging.disable(logging.WARNING)
    hook = CostHook(warm_up=3)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        runner = build_runner(parser, cfg)
        runner.register_hook(hook)
        runner.train()
        logging.shutdown()
    report = json.dumps(hook.report())
    if args.out:
        out = Path(args.out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report + '\n')
    print(report)


if __name__ == '__main__':
    main()
