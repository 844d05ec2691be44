"""What a training has logged: the numbers of mmengine's json files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class History(NamedTuple):
    """Numbers of a training.

    Attributes:
        train: entries by iteration, ascending: ``step``, ``lr``, ``loss``, ...
        evaluations: entries by epoch (or iteration): ``step`` and the metrics.
        test: metrics of the newest test in the folder, {} if none.
        starts: names of the folders of logs, one for each start of the training.
        damaged: number of lines that are no numbers, e.g. where a run was killed.
    """

    train: list[dict]
    evaluations: list[dict]
    test: dict
    starts: list[str]
    damaged: int


def read_history(work_dir: Path) -> History:
    """Read the logs of a work folder; an empty history if there are none.

    A training that was resumed has a log for each start: what a later one does over
    again replaces what the earlier one did from there on.
    """
    train: list[dict] = []
    evaluations: list[dict] = []
    starts, damaged = [], 0
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        entries, bad = _read_lines(path)
        damaged += bad
        later = [entry for entry in entries if 'lr' in entry]
        scored = [entry for entry in entries if 'lr' not in entry]
        if not later and not scored:
            continue
        starts.append(path.parents[1].name)
        train = _continue(train, later)
        if later:
            # of the epochs that the new start has seen, its own evaluations count
            resumed = later[0].get('epoch', later[0]['step'])
            evaluations = [e for e in evaluations if e['step'] < resumed]
        evaluations = _continue(evaluations, scored)
    test: dict = {}
    for path in sorted(work_dir.glob('*/*.json')):
        if path.stem == path.parent.name:
            entry = _numbers_of(path.read_text('utf-8', errors='replace'))
            test, damaged = entry or test, damaged + (entry is None)
    return History(train, evaluations, test, starts, damaged)


def curves_of(
    entries: Sequence[Mapping], keys: Sequence[str]
) -> dict[str, tuple[list, list]]:
    """Steps and values of some keys; keys that no entry has are left out."""
    found = {}
    for key in keys:
        points = [(entry['step'], entry[key]) for entry in entries if key in entry]
        if points:
            found[key] = tuple(map(list, zip(*points)))
    return found


def keys_of(entries: Sequence[Mapping]) -> list[str]:
    """All keys in the order in which they came."""
    return list(dict.fromkeys(key for entry in entries for key in entry))


def _continue(earlier: list[dict], later: list[dict]) -> list[dict]:
    if not later:
        return earlier
    by_step = {entry['step']: entry for entry in later}
    first = min(by_step)
    kept = [entry for entry in earlier if entry['step'] < first]
    return kept + [by_step[step] for step in sorted(by_step)]


def _read_lines(path: Path) -> tuple[list[dict], int]:
    with path.open(encoding='utf-8', errors='replace') as file:
        entries = [_numbers_of(line) for line in file if line.strip()]
    good = [e for e in entries if e is not None and isinstance(e.get('step'), int)]
    return good, len(entries) - len(good)


def _numbers_of(text: str) -> dict | None:
    """The entries that are numbers (NaN is one); None for what is no JSON object."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    return {
        key: value
        for key, value in entry.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
