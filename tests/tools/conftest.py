import runpy
import sys

import pytest

from tests.helpers import ROOT
from tests.toy_run import forget_runs, write_config


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Run a tool as a script, from a folder that is not the repository."""
    monkeypatch.chdir(tmp_path)
    # the script's folder comes first, as Python does it
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(name, *args):
        forget_runs()
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')

    return run


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)
