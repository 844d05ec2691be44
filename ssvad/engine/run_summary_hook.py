"""Writes a summary of the run when training ends."""

from __future__ import annotations

import os.path as osp
import sys
import time
from collections.abc import Mapping
from numbers import Real
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .run_summary import Run, Validation, run_summary

# not `val...`: what begins so mmengine prints with each validation
HISTORY = 'run_summary'


def shown_path(path: str) -> str:
    """A path as one would type it here: relative if it lies below this folder."""
    if '://' in path:
        return path
    path = Path(path).absolute()
    below = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if below else path)


def tools_folder() -> str:
    """Folder of the script that runs if ``infer.py`` lies beside it, else ``tools``."""
    folder = osp.dirname(osp.abspath(sys.argv[0]))
    known = osp.isfile(osp.join(folder, 'infer.py'))
    return shown_path(folder) if known else 'tools'


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Write best numbers, checkpoints and the next commands when training ends.

    To the log and to ``<work_dir>/summary.txt``, see
    :func:`~ssvad.engine.run_summary.run_summary`. Metrics are kept in the message hub,
    thus in checkpoints, so a resumed run knows those of its beginning.
    """

    # before the checkpoints, which are to hold the metrics
    priority = 'NORMAL'

    def __init__(self):
        self.start = None

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self.start = time.time()

    def after_val_epoch(self, runner: Runner, metrics: Mapping | None = None) -> None:
        """Remember the metrics of a validation of training."""
        if self.start is None or not metrics:
            return
        numbers = {k: float(v) for k, v in metrics.items() if isinstance(v, Real)}
        history = runner.message_hub.runtime_info.get(HISTORY, [])
        entry = (runner.epoch, numbers)
        runner.message_hub.update_info(HISTORY, [*history, entry])

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the summary."""
        text = run_summary(self.describe(runner))
        path = osp.join(runner.work_dir, 'summary.txt')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        runner.logger.info(f'Summary of the run ({shown_path(path)})\n{text}')

    def describe(self, runner: Runner) -> Run:
        """Gather what the summary tells."""
        hub = runner.message_hub
        epoch_length = len(runner.train_dataloader)
        losses = {
            name: float(hub.get_scalar(f'train/{name}').mean(epoch_length))
            for name in ('loss', 'sup_loss', 'unsup_loss')
            if f'train/{name}' in hub.log_scalars
        }
        checkpoints = {
            key.replace('_ckpt', ''): path
            for key, path in sorted(hub.runtime_info.items())
            if key.startswith(('best_ckpt', 'last_ckpt'))
            and ('://' in path or osp.exists(path))
        }
        loop = runner.val_loop or runner.train_loop
        info = getattr(loop.dataloader.dataset, 'get_data_info', lambda _: {})(0)
        video = info.get('filename')
        config = osp.basename(runner.cfg.filename or f'{runner.timestamp}.py')
        return Run(
            name=runner.experiment_name,
            epochs=runner.epoch,
            seconds=time.time() - self.start,
            losses=losses,
            validations=[
                Validation(*entry) for entry in hub.runtime_info.get(HISTORY, [])
            ],
            checkpoints={kind: shown_path(path) for kind, path in checkpoints.items()},
            config=shown_path(osp.join(runner.work_dir, config)),
            work_dir=shown_path(runner.work_dir),
            tools=tools_folder(),
            video=video and shown_path(video),
        )
