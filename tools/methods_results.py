"""Results of the runs of benchmark_methods.py, and what is computed from them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

# name for readers -> key of the evaluation
METRICS = {
    'video-mAP@.5': 'video_mAP@0.50',
    'frame-mAP@.5': 'frame_mAP@0.50',
    'video acc.': 'video_acc',
    'capsule f@.5': 'capsule_f_mAP@0.50',
    'capsule v@.5': 'capsule_v_mAP@0.50',
}
MAIN = 'video_mAP@0.50'
BASELINE, CEILING = 'sup', 'sup_all'
SUPERVISED = (BASELINE, CEILING)
PREFIX = 'stad/'
Spread = tuple[float, Optional[float]]


class Setting(NamedTuple):
    """Which videos a run has.

    fraction: Share of the training videos that is labelled, in (0, 1].
    times: Unlabelled videos per labelled one; ``None`` for all the rest.
    """

    fraction: float
    times: int | None = None

    def __str__(self) -> str:
        text = f'{100 * self.fraction:g} % labels'
        return text if self.times is None else f'{text}, {self.times}x unlabelled'


class Result(NamedTuple):
    """A finished run.

    method: Key of the table of methods; with ``/teacher`` for the other network.
    label: Its name for readers.
    setting: Its videos; supervised runs see no unlabelled one, whatever it says.
    seed: Of training and of the choice of labelled videos.
    metrics: Key of the evaluation -> percent.
    """

    method: str
    label: str
    setting: Setting
    seed: int
    metrics: dict[str, float]


def read_results(out_dir: Path, methods: Sequence[str]) -> list[Result]:
    """Read all finished runs below ``out_dir/runs``; a teacher counts as a method.

    Args:
        out_dir: Folder of the benchmark.
        methods: Keys in the order of the table.

    Returns:
        Results in that order, then by fraction, unlabelled videos and seed.
    """
    found = []
    for path in out_dir.glob('runs/*/*/metrics.json'):
        run = json.loads((path.parent / 'run.json').read_text('utf-8'))
        metrics = json.loads(path.read_text('utf-8'))
        setting = Setting(run['fraction'], run['times'])
        order = (methods.index(run['method']), run['fraction'], run['times'] or 0)
        for prefix, suffix in ((PREFIX, ''), (f'teacher/{PREFIX}', '/teacher')):
            own = {
                key[len(prefix) :]: value
                for key, value in metrics.items()
                if key.startswith(prefix)
            }
            if own:
                name = run['method'] + suffix
                label = run['label'] + (', its teacher' if suffix else '')
                result = Result(name, label, setting, run['seed'], own)
                found.append(((order[0], suffix, *order[1:], run['seed']), result))
    return [result for _, result in sorted(found, key=lambda item: item[0])]


def mean_and_spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation; no spread of a single value."""
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), spread


def values_of(results: Iterable[Result], key: str) -> dict[int, float]:
    """Seed -> value of a metric."""
    return {result.seed: result.metrics[key] for result in results}


def difference(
    results: Iterable[Result], baseline: Iterable[Result], key: str
) -> Spread | None:
    """Mean and spread of the differences to the baseline, seed by seed.

    The labelled videos depend on the seed, so differences within a seed vary less
    than the values do.

    Returns:
        ``None`` if no seed was run with both.
    """
    own, other = values_of(results, key), values_of(baseline, key)
    shared = sorted(own.keys() & other.keys())
    if not shared:
        return None
    return mean_and_spread(own[seed] - other[seed] for seed in shared)


def by_method(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Group results, keeping their order."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.method, []).append(result)
    return groups


def in_setting(results: Iterable[Result], setting: Setting) -> list[Result]:
    """Results of a setting, with the supervised ones that belong beside them."""

    def belongs(result: Result) -> bool:
        if result.method == BASELINE:
            return result.setting.fraction == setting.fraction
        return result.method == CEILING or result.setting == setting

    return [result for result in results if belongs(result)]


def settings_of(results: Iterable[Result]) -> list[Setting]:
    """What there are tables of, ascending: all settings but that of all labels."""
    found = {r.setting for r in results if r.method != CEILING}
    return sorted(found, key=lambda s: (s.fraction, s.times or 0))


def curve(
    results: Iterable[Result], over: str, metric: str
) -> list[tuple[float, Spread]]:
    """Mean and spread of a metric of one method over what varies.

    Args:
        results: Of one method.
        over: ``'fraction'`` (percent; runs with all the rest unlabelled) or
            ``'times'`` (unlabelled videos per labelled one).
        metric: Key of the evaluation.

    Returns:
        Points (x, (mean, spread)), ascending.
    """
    values: dict[float, list[float]] = {}
    for result in results:
        fraction, times = result.setting
        if (times is None) == (over == 'fraction'):
            x = 100 * fraction if times is None else times
            values.setdefault(x, []).append(result.metrics[metric])
    return [(x, mean_and_spread(values[x])) for x in sorted(values)]
