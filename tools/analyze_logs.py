"""Curves and step times from the logs of trainings.

    python tools/analyze_logs.py plot_curve work_dirs/toy_semi_var --keys 'loss_*'
    python tools/analyze_logs.py plot_curve work_dirs/toy_sup work_dirs/toy_semi_var \
        --keys loss 'stad/*_mAP@0.50' --legend supervised variance --out curves.png
    python tools/analyze_logs.py cal_train_time work_dirs/toy_semi_var

A log is the folder of a run, or a JSON file of it (``<time>/vis_data/scalars.json``).
A resumed run has a file for each start; its folder counts as one curve, where steps
that were taken twice show the values of the later start. Keys may be patterns (``*``).
Values are as they were logged: means over ``log_processor.window_size`` steps.
Evaluations, which the log numbers by epoch, stand at the step where their epoch ended.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from cli import Parser
from ssvad.files import read_text

LINES = ('-', '--', ':', '-.')


class Log(NamedTuple):
    """Rows of a run as mmengine logged them, ordered by ``step``.

    train: of training steps, with ``iter``, ``step``, mostly ``epoch``.
    val: of evaluations; ``step`` is the training step after which they took place.
    """

    train: list[dict]
    val: list[dict]


def read_rows(path: Path) -> list[dict]:
    """Rows of a JSON log; the last one may be torn, as a killed run leaves it.

    Raises:
        ValueError: if another one is no JSON object with a ``step``.
    """
    rows, lines = [], read_text(path).splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            row['step'] = int(row['step'])
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise ValueError(
                f'{path}, line {number}: expected a JSON object with step, as in '
                f'vis_data/scalars.json, got {line[:60]!r}'
            ) from error
        rows.append(row)
    return rows


def split_rows(rows: Iterable[dict]) -> Log:
    """Tell training steps from evaluations and bring the latter on the steps' axis."""
    train, val = [], []
    for row in rows:
        if 'iter' in row:
            train.append(row)
        elif train and 'epoch' in train[-1]:
            # evaluated after an epoch, whose number is the step of the row
            ends = [r['step'] for r in train if r['epoch'] <= row['step']]
            val.append(dict(row, step=max(ends, default=0)))
        else:
            val.append(row)
    return Log(train, val)


def merge(starts: Iterable[Log]) -> Log:
    """One run from the logs of its starts, in the order of time."""
    whole = Log([], [])
    for log in starts:
        if log.train:
            first = log.train[0]['step']
            whole = Log(*([r for r in rows if r['step'] < first] for rows in whole))
        whole.train.extend(log.train)
        whole.val.extend(log.val)
    return whole


def read_log(path: Path) -> Log:
    """Read a file, or all files of a run's folder.

    Raises:
        ValueError: if there are none, or they hold nothing, or no rows.
        OSError: if a file cannot be read.
    """
    # folders are named by the time of the start
    files = sorted(path.glob('*/vis_data/scalars.json')) if path.is_dir() else [path]
    if not files:
        raise ValueError(
            f'{path}: no <time>/vis_data/scalars.json here; is it the work folder of a '
            'training?'
        )
    log = merge(split_rows(read_rows(file)) for file in files)
    if not log.train and not log.val:
        raise ValueError(f'{path}: nothing has been logged')
    return log


def choose_keys(logs: Sequence[Log], patterns: Sequence[str]) -> list[str]:
    """The keys of any of the logs that fit the patterns, pattern after pattern.

    Raises:
        KeyError: if nothing fits a pattern; tells what there is.
    """
    rows = (row for log in logs for part in log for row in part)
    known = list(dict.fromkeys(key for row in rows for key in row))
    chosen = []
    for pattern in patterns:
        fitting = [key for key in known if fnmatchcase(key, pattern)]
        if not fitting:
            raise KeyError(f"no log has '{pattern}'; there are {', '.join(known)}")
        chosen += [key for key in fitting if key not in chosen]
    return chosen


def plot_curves(
    logs: Sequence[Log], keys: Sequence[str], legend: Sequence[str], title: str = ''
) -> Figure:
    """Draw values over training steps: training above, evaluations below.

    Args:
        logs: the runs; a run without a key has no such curve.
        keys: what to draw.
        legend: names, run after run, key after key in each.
        title: of the figure.
    """
    number = max(len(keys), len(logs))
    colours = matplotlib.colormaps['tab10'].colors
    if number > len(colours):
        colours = matplotlib.colormaps['turbo'](np.linspace(0, 1, number))
    panels = [
        part for part in Log._fields
        if any(key in row for log in logs for row in getattr(log, part) for key in keys)
    ]  # fmt: skip
    figure = Figure((9, 4.2 * len(panels)), layout='constrained')
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, part in zip(axes, panels):
        for run, log in enumerate(logs):
            for k, key in enumerate(keys):
                rows = [row for row in getattr(log, part) if key in row]
                # a colour for each key, a kind of line for each run
                style = dict(color=colours[k], linestyle=LINES[run % len(LINES)])
                if len(keys) == 1:
                    style = dict(color=colours[run])
                if part == 'val' or len(rows) == 1:
                    style['marker'] = '.'
                if rows:
                    x, y = zip(*((row['step'], row[key]) for row in rows))
                    name = legend[run * len(keys) + k]
                    axis.plot(x, y, linewidth=1.2, label=name, **style)
        axis.set_ylabel('training' if part == 'train' else 'evaluation')
        axis.grid(color='#e8e8e8')
        axis.legend(fontsize=8)
    axes[-1].set_xlabel('step')
    figure.suptitle(title)
    return figure


def train_times(log: Log, include_outliers: bool) -> dict[int, np.ndarray]:
    """Seconds a step, as logged, by epoch (1 where the log has no epochs).

    Args:
        log: of a run.
        include_outliers: keep the first value of each epoch, while which workers
            start; it is also kept where it is the only one.

    Raises:
        ValueError: if the run has logged no times.
    """
    times: dict[int, list[float]] = {}
    for row in log.train:
        if 'time' in row:
            times.setdefault(row.get('epoch', 1), []).append(row['time'])
    if not times:
        raise ValueError('no times of training steps')
    first = 0 if include_outliers else 1
    return {epoch: np.array(t[first:] or t) for epoch, t in times.items()}


def time_lines(times: dict[int, np.ndarray]) -> list[str]:
    """Slowest and fastest epoch, spread, and mean over all steps, in seconds."""
    epochs = list(times)
    means = np.array([times[epoch].mean() for epoch in epochs])
    slow, fast = int(means.argmax()), int(means.argmin())
    return [
        f'slowest epoch {epochs[slow]}, average time is {means[slow]:.4f}',
        f'fastest epoch {epochs[fast]}, average time is {means[fast]:.4f}',
        f'time std over epochs is {means.std():.4f}',
        f'average iter time: {np.concatenate(list(times.values())).mean():.4f} s/iter',
    ]


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = Parser(description='Curves and step times from the logs of trainings.')
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw values over training steps')
    time = tasks.add_parser('cal_train_time', help='seconds a training step takes')
    for task in (plot, time):
        task.add_argument('json_logs', type=Path, nargs='+', help='folders or files')
    plot.add_argument('--keys', nargs='+', default=['loss'], help='what to draw (loss)')
    plot.add_argument('--title', default='', help='of the figure')
    plot.add_argument('--legend', nargs='+', help='a name a run, or a run and key')
    plot.add_argument(
        '--out', type=Path, default=Path('curves.png'), help='picture (curves.png)'
    )
    time.add_argument(
        '--include-outliers',
        action='store_true',
        help='include the first value of every epoch',
    )
    return parser, parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser, args = parse_args(argv)
    try:
        logs = [read_log(path) for path in args.json_logs]
        if args.task == 'cal_train_time':
            for path, log in zip(args.json_logs, logs):
                print(f'-----Analyze train time of {path}-----')
                print('\n'.join(time_lines(train_times(log, args.include_outliers))))
            return
        keys = choose_keys(logs, args.keys)
    except (KeyError, ValueError, OSError) as error:
        # the text of a KeyError is its only argument
        parser.error(error.args[0] if isinstance(error, KeyError) else str(error))
    legend = args.legend or [p.name if p.is_dir() else str(p) for p in args.json_logs]
    if len(legend) == len(logs) < len(logs) * len(keys):
        legend = [f'{name} {key}' for name in legend for key in keys]
    if len(legend) != len(logs) * len(keys):
        parser.error(
            f'--legend: expected {len(logs)} or {len(logs) * len(keys)} names, got '
            f'{len(legend)}'
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    plot_curves(logs, keys, legend, args.title).savefig(args.out, dpi=120)
    print(f'save curve to: {args.out}')


if __name__ == '__main__':
    main()
