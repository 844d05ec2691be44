"""The parts of a report that tell of a training: its curves and its config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from mmengine.config import Config

from report_evaluation import STUDENT, TITLES, metric_name
from report_logs import History, curves_of, keys_of
from ssvad.visualization.report_curves import plot_curves
from ssvad.visualization.report_page import (
    Code,
    Facts,
    Note,
    Picture,
    Section,
    figure_uri,
)

# of the numbers in the logs, those that are no part of the loss
RATES = ('lr', 'grad_norm', 'time', 'data_time', 'memory')
UNITS = {'time': 's a step', 'data_time': 's waiting for data', 'memory': 'MB'}
COUNTERS = ('step', 'epoch', 'iter')
LEFT_OUT = (*COUNTERS, 'time', 'data_time')


def training_section(history: History) -> Section:
    """Curves of losses, rates and metrics, or what there is of them."""
    blocks: list = []
    if history.train:
        blocks += _train_blocks(history)
    else:
        blocks.append(
            Note(
                'No curves: there is no log of a training (*/vis_data/scalars.json) '
                'in the folder.',
                'missing',
            )
        )
    if history.train and not history.evaluations:
        blocks.append(
            Note(
                'No metrics over epochs: the training was not evaluated on the way.',
                'missing',
            )
        )
    blocks += metric_blocks(history, '')
    if history.damaged:
        blocks.append(
            Note(
                f'{history.damaged} lines or files of the logs are damaged, as a '
                'killed run leaves them, and were left out.',
                'missing',
            )
        )
    return Section('training', 'Training', blocks)


def _train_blocks(history: History) -> list:
    last, keys = history.train[-1], keys_of(history.train)
    rates = [key for key in RATES if key in keys]
    losses = [k for k in keys if k == 'loss' or k.startswith('loss_')]
    others = [k for k in keys if k not in (*losses, *rates, *COUNTERS)]
    seconds = [entry['time'] for entry in history.train if 'time' in entry]
    facts = [
        ('iterations', last['step']),
        ('epochs', last.get('epoch', '')),
        ('starts of the run', ', '.join(history.starts)),
        ('time of an iteration', f'{median(seconds):.3f} s' if seconds else ''),
        ('last learning rate', f'{last["lr"]:.3g}'),
    ]
    blocks: list = [Facts(facts)]
    for what, names in (
        ('Losses by term, as the log has smoothed them', losses),
        ('Learning rate, time and memory', rates),
        ('Other numbers of the log', others),
    ):
        curves = curves_of(history.train, names)
        if curves:
            panels = {
                f'{key} ({UNITS[key]})' if key in UNITS else key: {STUDENT: curve}
                for key, curve in curves.items()
            }
            uri = figure_uri(plot_curves(panels, 'iteration'))
            text = f'{what}: {", ".join(curves)}.'
            blocks.append(Picture(uri, text, (f'{what}.',)))
    return blocks


def metric_blocks(history: History, protocol: str) -> list:
    """Metrics of one protocol over the training ('': all others), if there are any."""
    panels: dict[str, dict] = {}
    keys = [key for key in keys_of(history.evaluations) if key not in LEFT_OUT]
    for key, curve in curves_of(history.evaluations, keys).items():
        of_protocol, network, name = metric_name(key)
        if of_protocol == protocol:
            panels.setdefault(name, {})[network] = curve
    if not panels:
        return []
    by_epoch = 'epoch' in history.train[-1] if history.train else True
    figure = plot_curves(panels, 'epoch' if by_epoch else 'iteration')
    title = TITLES.get(protocol, 'Other metrics')
    text = f'{title}: metrics of the evaluations during training (%).'
    return [Picture(figure_uri(figure), text, (text,))]


def config_section(
    path: Path, cfg: Config, checkpoint: Path | None, changes: Mapping
) -> Section:
    """The settings that matter most, and the whole config.

    Args:
        path: of the config file.
        cfg: its content.
        checkpoint: of the run; None if there is none.
        changes: settings of the command line, which the file does not show.
    """
    loader = cfg.get('train_dataloader') or {}
    detector = cfg.model.get('detector', cfg.model)
    method = cfg.model.get('method')
    facts = [
        ('config', path.name),
        ('checkpoint', 'none' if checkpoint is None else checkpoint.name),
        ('model', cfg.model.get('type')),
        ('method', None if method is None else _plain(method)),
        ('backbone', _type_of(detector, 'backbone')),
        ('head', _type_of(detector, 'head')),
        ('optimiser', _plain((cfg.get('optim_wrapper') or {}).get('optimizer'))),
        ('batch size', loader.get('batch_size')),
        ('sampler', _plain(loader.get('sampler'))),
        ('training lists', ', '.join(_lists(loader.get('dataset'))) or None),
        ('test list', ', '.join(_lists(_dataset(cfg, 'test'))) or None),
        ('epochs', (cfg.get('train_cfg') or {}).get('max_epochs')),
        ('seed', (cfg.get('randomness') or {}).get('seed')),
        ('starts from', cfg.get('load_from')),
        ('--cfg-options', ', '.join(f'{k}={v}' for k, v in changes.items())),
    ]
    shown = [(name, '' if fact is None else fact) for name, fact in facts]
    text = path.read_text('utf-8', errors='replace')
    return Section('config', 'Configuration', [Facts(shown), Code(path.name, text)])


def _dataset(cfg: Config, which: str) -> Any:
    return (cfg.get(f'{which}_dataloader') or {}).get('dataset')


def _lists(dataset: Any) -> list[str]:
    """Lists (or else annotation files) of a dataset and of those in it."""
    if not isinstance(dataset, Mapping):
        return []
    inner = [*dataset.get('datasets', ()), dataset.get('dataset')]
    own = dataset.get('split_file') or dataset.get('ann_file')
    return [str(own)] * bool(own) + [name for part in inner for name in _lists(part)]


def _type_of(model: Mapping, part: str) -> str | None:
    found = model.get(part)
    return str(found['type']) if isinstance(found, Mapping) else None


def _plain(settings: Any) -> str | None:
    """``Type (key=value, ...)``."""
    if not isinstance(settings, Mapping):
        return None
    rest = ', '.join(f'{k}={v}' for k, v in settings.items() if k != 'type')
    return f'{settings.get("type")}' + (f' ({rest})' if rest else '')
