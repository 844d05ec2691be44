"""What one protocol reports: numbers, facts to audit them by, per-class table."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

LOG_WIDTH = 150


class ProtocolReport(NamedTuple):
    """Result of one protocol, in plain Python values.

    Attributes:
        note: what the numbers are, and what they must not be compared with.
        metrics: key -> percentage, never NaN.
        facts: what was evaluated: policy, numbers of videos, frames, boxes.
        per_class: column name -> K cells; NaN marks a class without ground truth.
    """

    note: str
    metrics: dict
    facts: dict
    per_class: dict

    def text(self) -> str:
        """The report as lines for a log."""
        facts = [f'{name}: {fact}' for name, fact in self.facts.items()]
        return '\n'.join([self.note, *facts, *map(format_table, self._blocks())])

    def _blocks(self) -> list[dict]:
        """Columns in tables that fit a screen, each with the first column."""
        (first, cells), *columns = self.per_class.items()
        blocks, room = [], 0
        for name, column in columns:
            room -= len(name) + 3
            if room < 0 or not blocks:
                blocks.append({first: cells})
                room = LOG_WIDTH - max(map(len, [first, *cells]), default=0) - len(name)
            blocks[-1][name] = column
        return blocks


def format_table(columns: Mapping[str, Sequence]) -> str:
    """Draw columns of equal length as a plain-text table.

    Args:
        columns: header -> cells; floats get two decimals, NaN is shown as '-'.
    """
    table = Table(box=box.ASCII)
    for i, name in enumerate(columns):
        table.add_column(name, justify='right' if i else 'left', no_wrap=True)
    for row in zip(*columns.values()):
        table.add_row(*map(_cell, row))
    out = io.StringIO()
    # a log file has no width of its own; rich would cut the columns at 80
    Console(file=out, width=1000, color_system=None, markup=False).print(table)
    return out.getvalue().rstrip()


def write_json(path: str | Path, reports: Mapping[str, ProtocolReport]) -> None:
    """Write reports side by side under their names; NaN becomes null."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = _null_for_nan({name: report._asdict() for name, report in reports.items()})
    text = json.dumps(plain, indent=1, allow_nan=False)
    path.write_text(text + '\n', encoding='utf-8')


def write_csv(path: str | Path, columns: Mapping[str, Sequence]) -> None:
    """Write columns of equal length as a CSV file with a header; NaN becomes empty.

    Floats are written so that reading them gives the same number.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        for row in zip(*columns.values()):
            writer.writerow(['' if cell != cell else cell for cell in row])


def write_reports(path: str | Path, reports: Mapping[str, ProtocolReport]) -> None:
    """Write all reports to a JSON file and each per-class table to a CSV beside it.

    The tables of ``report.json`` are ``report_<name>.csv``: one file per protocol,
    because their columns must not be compared.
    """
    path = Path(path)
    write_json(path, reports)
    for name, report in reports.items():
        write_csv(path.with_name(f'{path.stem}_{name}.csv'), report.per_class)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return '-' if math.isnan(value) else f'{value:.2f}'
    return str(value)


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _null_for_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_null_for_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
