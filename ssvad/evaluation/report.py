"""What one protocol reports: numbers, facts to audit them by, per-class table."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table


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
        return '\n'.join([self.note, *facts, format_table(self.per_class)])


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
