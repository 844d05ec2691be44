"""Tables and plots of the runs of benchmark_methods.py."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from methods_results import (
    BASELINE,
    CEILING,
    MAIN,
    METRICS,
    SUPERVISED,
    Result,
    Setting,
    Spread,
    by_method,
    curve,
    difference,
    in_setting,
    mean_and_spread,
    settings_of,
    values_of,
)

# colours of Okabe and Ito, told apart by colour-blind readers as well
BLUE, ORANGE = '#0072b2', '#d55e00'
COLOURS = (BLUE, ORANGE, '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')
SHOWN = ('video-mAP@.5', 'capsule v@.5')  # in plots


def spread_text(value: Spread | None, sign: str = '') -> str:
    """Write a mean and its spread; nothing for ``None``."""
    if value is None:
        return ''
    mean, spread = value
    return f'{mean:{sign}.1f}' + ('' if spread is None else f' ± {spread:.1f}')


def table_rows(
    results: Sequence[Result], setting: Setting, costs: dict[str, dict]
) -> list[dict[str, str]]:
    """Rows of the table of one setting, as text.

    Args:
        results: All results.
        setting: Of the table.
        costs: Method -> what ``method_cost.py`` says; may lack methods.
    """
    rows = []
    groups = by_method(in_setting(results, setting))
    for name, group in groups.items():
        row = {'method': group[0].label}
        for title, key in METRICS.items():
            row[title] = spread_text(mean_and_spread(values_of(group, key).values()))
        gain = None
        if name not in SUPERVISED:
            gain = difference(group, groups.get(BASELINE, ()), MAIN)
        row['gain'] = spread_text(gain, '+')
        cost = costs.get(name)
        row['s/step'] = f'{cost["seconds"]:.2f}' if cost else ''
        row['clips/step'] = f'{cost["learning"]} + {cost["only_seen"]}' if cost else ''
        row['seeds'] = ' '.join(str(result.seed) for result in group)
        rows.append(row)
    return rows


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """A table of rows with equal keys."""
    lines = [[*rows[0]], ['---'] * len(rows[0]), *([*row.values()] for row in rows)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def plot_methods(results: Sequence[Result], setting: Setting) -> Figure:
    """Each seed a dot, the mean a bar, the supervised means as lines.

    Args:
        results: All results.
        setting: Which of them to show.
    """
    groups = by_method(in_setting(results, setting))
    figure = Figure((9, 1.3 + 0.3 * len(groups)), layout='constrained')
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    for panel, title in zip(panels, SHOWN):
        for row, (name, group) in enumerate(groups.items()):
            values = [*values_of(group, METRICS[title]).values()]
            mean = statistics.fmean(values)
            colour = ORANGE if name in SUPERVISED else BLUE
            panel.plot(values, [row] * len(values), 'o', color=colour, alpha=0.5, ms=5)
            panel.plot([mean] * 2, [row - 0.33, row + 0.33], color=colour, lw=2.5)
            if name in SUPERVISED:
                panel.axvline(mean, color=colour, lw=1, ls='--', zorder=0)
        panel.set_title(f'{title} (%)', fontsize=10)
        panel.grid(axis='x', color='#e8e8e8')
        panel.set_yticks(range(len(groups)), [g[0].label for g in groups.values()])
    panels[0].invert_yaxis()  # of both, they share it
    figure.suptitle(f'Toy world, {setting}: each seed, and the mean', fontsize=11)
    return figure


def plot_curves(results: Sequence[Result], over: str) -> Figure | None:
    """One line per method with the spread over seeds; supervised means dashed.

    Args:
        results: All results.
        over: As for :func:`methods_results.curve`.

    Returns:
        ``None`` if no method was run at two points.
    """
    groups = {
        name: group
        for name, group in by_method(results).items()
        # a teacher's line would lie on its student's
        if name != CEILING and '/' not in name and len(curve(group, over, MAIN)) > 1
    }
    if not groups:
        return None
    figure = Figure((10, 4.2), layout='constrained')
    for panel, title in zip(figure.subplots(1, len(SHOWN)), SHOWN):
        metric, ticks = METRICS[title], set()
        for number, group in enumerate(groups.values()):
            places, values = zip(*curve(group, over, metric))
            panel.errorbar(
                places,
                [mean for mean, _ in values],
                [spread or 0 for _, spread in values],
                label=group[0].label,
                color=COLOURS[number % len(COLOURS)],
                marker='os^'[number // len(COLOURS) % 3],
                ms=4,
                capsize=3,
            )
            ticks.update(places)
        panel.set_xticks(sorted(ticks))
        for label, mean in _levels(results, over, metric):
            panel.axhline(mean, color='grey', ls='--', lw=1)
            place = dict(xycoords=('axes fraction', 'data'), ha='left', va='bottom')
            panel.annotate(label, (0.01, mean), color='grey', fontsize=8, **place)
        fractions = over == 'fraction'
        panel.set_xlabel(
            'labelled videos (%)' if fractions else 'unlabelled per labelled'
        )
        panel.set_title(f'{title} (%)', fontsize=10)
        panel.grid(color='#e8e8e8')
    lines = panel.get_legend_handles_labels()
    figure.legend(*lines, loc='outside lower center', ncols=4, frameon=False)
    return figure


def _levels(
    results: Sequence[Result], over: str, metric: str
) -> list[tuple[str, float]]:
    """Supervised means that do not depend on what varies."""
    groups = by_method(results)
    levels = [groups.get(CEILING, [])]
    if over == 'times':
        fractions = {r.setting.fraction for r in results if r.setting.times is not None}
        baseline = groups.get(BASELINE, [])
        levels.append([r for r in baseline if r.setting.fraction in fractions])
    return [
        (group[0].label, statistics.fmean(r.metrics[metric] for r in group))
        for group in levels
        if group
    ]


def write_report(
    out_dir: Path, results: Sequence[Result], costs: dict[str, dict], head: str
) -> list[Path]:
    """Write ``methods.md``, ``results.json``, ``results.csv`` and the plots.

    Args:
        out_dir: Gets the files.
        results: At least one.
        costs: Method -> what ``method_cost.py`` says.
        head: What ``methods.md`` begins with.

    Returns:
        The files written.
    """
    text, figures = [head], {}
    for setting in settings_of(results):
        rows = table_rows(results, setting, costs)
        text.append(f'## {setting}\n\n{markdown(rows)}')
        if setting.times is None:
            name = f'methods_{100 * setting.fraction:g}.png'
            figures[name] = plot_methods(results, setting)
    for over, name in (('fraction', 'fractions.png'), ('times', 'unlabeled.png')):
        figure = plot_curves(results, over)
        if figure is not None:
            figures[name] = figure
    (out_dir / 'methods.md').write_text('\n\n'.join(text) + '\n', 'utf-8')
    rows = [
        dict(method=r.method, **r.setting._asdict(), seed=r.seed, **r.metrics)
        for r in results
    ]
    notes = json.dumps(dict(results=rows, costs=costs), indent=1)
    (out_dir / 'results.json').write_text(notes + '\n', 'utf-8')
    with open(out_dir / 'results.csv', 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, dict.fromkeys(key for row in rows for key in row))
        writer.writeheader()
        writer.writerows(rows)
    for name, figure in figures.items():
        figure.savefig(out_dir / name, dpi=120)
    names = ('methods.md', 'results.json', 'results.csv', *figures)
    return [out_dir / name for name in names]
