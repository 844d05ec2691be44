"""The text with which a training ends: best numbers, files, what to do next."""

from __future__ import annotations

import datetime
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

TITLES = {
    'standard': 'Standard protocol (average precision; beside any other detector)',
    'capsule': 'Capsule protocol (recall of masks; beside papers of that line only)',
    'other': 'Other metrics',
}


class Validation(NamedTuple):
    """Metrics after ``epoch`` epochs."""

    epoch: int
    metrics: Mapping[str, float]


class Run(NamedTuple):
    """What is known of a finished training.

    name: of the experiment. epochs: done in all. seconds: of this process, validation
    included. losses: means over the last epoch. validations: oldest first.
    checkpoints: paths by kind, the one to use first. config, work_dir, tools: paths.
    video: path of a video to try, if one is known.
    """

    name: str
    epochs: int
    seconds: float
    losses: Mapping[str, float]
    validations: Sequence[Validation]
    checkpoints: Mapping[str, str]
    config: str
    work_dir: str
    tools: str
    video: str | None


def protocol_of(key: str) -> str | None:
    """The table in which a metric belongs: one of ``TITLES``; None for none.

    Shares of errors are left to the log: they are no score, and less is better.
    """
    name = key.rsplit('/', 1)[-1]
    if name.startswith('capsule_'):
        return 'capsule'
    if name.startswith('frame_err_'):
        return None
    return 'standard' if name.startswith(('frame_', 'video_')) else 'other'


def best_of(validations: Sequence[Validation], key: str) -> Validation | None:
    """The first validation with the highest value of a metric; NaN counts as none."""
    known = [v for v in validations if not math.isnan(v.metrics.get(key, math.nan))]
    return max(known, key=lambda v: v.metrics[key], default=None)


def metric_tables(validations: Sequence[Validation]) -> str:
    """A table for each protocol: best value, its epoch, last value.

    Of other metrics it is not known whether more is better; they have no best.
    """
    if not validations:
        return 'No metrics: there was no validation in this training.\n'
    last = validations[-1]
    width = max(map(len, last.metrics))
    text = ''
    for protocol, title in TITLES.items():
        keys = [key for key in last.metrics if protocol_of(key) == protocol]
        if not keys:
            continue
        text += f'{title}\n{"":{width}}      best  epoch  last (epoch {last.epoch})\n'
        for key in keys:
            best = None if protocol == 'other' else best_of(validations, key)
            value, epoch = ('', '')
            if best is not None:
                value, epoch = f'{best.metrics[key]:.2f}', best.epoch
            text += f'  {key:{width}}{value:>8}{epoch:>7}{last.metrics[key]:>8.2f}\n'
        text += '\n'
    return text


def commands(run: Run) -> dict[str, str]:
    """What to do with the run, ready to copy; without a checkpoint the report only."""
    lines = {}
    if run.checkpoints:
        checkpoint = next(iter(run.checkpoints.values()))
        test = [f'{run.tools}/test.py', run.config, checkpoint]
        infer = [f'{run.tools}/infer.py', run.video or 'VIDEO', '--config', run.config]
        infer += ['--weights', checkpoint, '--out-dir', f'{run.work_dir}/infer']
        lines = {'Evaluate': test, 'Find tubes in a video': infer}
    lines['Report'] = [f'{run.tools}/report.py', run.work_dir]
    return {name: f'python {shlex.join(words)}' for name, words in lines.items()}


def run_summary(run: Run) -> str:
    """The whole text, in lines that end with a newline."""
    time = datetime.timedelta(seconds=int(run.seconds))
    text = f'{run.name}: {run.epochs} epochs done, this process took {time}\n'
    losses = ', '.join(f'{name} {value:.4f}' for name, value in run.losses.items())
    text += f'Mean of the last epoch: {losses}\n\n' if losses else '\n'
    text += metric_tables(run.validations).rstrip('\n') + '\n\n'
    for kind, path in run.checkpoints.items():
        text += f'{kind} checkpoint: {path}\n'
    if not run.checkpoints:
        text += 'There is no checkpoint.\n'
    elif len(run.validations) > 1 and not any('best' in k for k in run.checkpoints):
        text += 'Of the best epoch, if not the last, it may be gone: set save_best.\n'
    for name, command in commands(run).items():
        text += f'\n{name}:\n  {command}\n'
    return text
