import os
import sys
import time

import pytest

from tests.faults.parts import write_numbers_config
from tests.faults.runs import LEDGER, end_of, finish
from tests.helpers import ROOT

# what a tool finds beside itself; last, because a tool is called test.py
sys.path.append(str(ROOT / 'tools'))

# about so many kills, at other moments each time
KILLS = int(os.environ.get('SSVAD_FAULTS', 0))


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Processes print and write here; configs are found by their names."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope='session')
def whole(tmp_path_factory):
    """End and duration of an uninterrupted run, by how many checkpoints are kept."""
    known = {}

    def run(keep=1):
        if keep not in known:
            folder = tmp_path_factory.mktemp('whole')
            begin = time.monotonic()
            finish(write_numbers_config(folder, keep=keep), folder / 'w')
            known[keep] = end_of(folder / 'w'), time.monotonic() - begin
        return known[keep]

    return run


def pytest_terminal_summary(terminalreporter):
    if not KILLS:
        return
    terminalreporter.section('kills survived')
    for row in LEDGER.rows():
        terminalreporter.line(row)
