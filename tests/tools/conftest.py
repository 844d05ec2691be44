import os
import runpy
import socket
import subprocess
import sys

import mmengine
import pytest

from tests.helpers import ROOT
from tests.toy_run import forget_runs, write_config

# what a tool finds beside itself; last, because a tool is called test.py
sys.path.append(str(ROOT / 'tools'))


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Run a tool as a script, from a folder that is not the repository."""
    monkeypatch.chdir(tmp_path)
    # the script's folder comes first, as Python does it
    monkeypatch.syspath_prepend(ROOT / 'tools')
    monkeypatch.setenv('LOCAL_RANK', '0')
    # half of the time of a short run: the layout of the config in logs, six times
    monkeypatch.setattr(
        mmengine.config.config, 'FormatCode', lambda text, **_: (text, True)
    )

    def run(name, *args):
        forget_runs()
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')

    return run


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path)


@pytest.fixture
def run(tmp_path):
    """Run a command in an empty folder; returns what it printed."""

    def start(*command, **env):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        env = {**os.environ, 'PYTHON': sys.executable, 'PORT': port, **env}
        env.setdefault('PYTHONPATH', str(ROOT))
        # two processes on a machine with one GPU cannot share it
        env['CUDA_VISIBLE_DEVICES'] = ''
        done = subprocess.run(
            list(map(str, command)),
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    return start
