"""Training in processes that end before their time, and what they leave behind."""

import multiprocessing
import os
import re
import runpy
import socket
import sys
from collections import Counter
from pathlib import Path

import matplotlib.pyplot  # noqa: F401  (imported by the first run otherwise)
import mmengine
import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from ssvad.engine.checkpoint_files import find_resumable, read_position
from tests.faults import parts  # noqa: F401
from tests.helpers import ROOT

# Importing takes longer than these runs: processes are forked from one that has.
CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(['tests.faults.runs', 'torch._dynamo'])
# no run takes as long, so a test that hangs fails
PATIENCE = 300
# what differs between two runs of the same
TIMES = re.compile(r'(time|_per_s|memory|eta|cfg|experiment_name)$')


def train(environment, *args):
    """Be `python tools/train.py ARGS`; what it prints goes to a file."""
    os.environ.update(environment)
    # most of the time of such a short run goes into texts for its log
    mmengine.config.config.FormatCode = lambda text, **style: (text, False)
    mmengine.runner.runner.collect_env = dict
    torch.set_num_threads(1)
    out = os.open('printed.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.path.insert(0, str(ROOT / 'tools'))
    sys.argv = ['train.py', *args]
    runpy.run_path(str(ROOT / 'tools/train.py'), run_name='__main__')


class Training:
    """A running `tools/train.py CONFIG --work-dir WORK_DIR --resume`."""

    def __init__(self, config, work_dir, *args, **environment):
        args = [config, '--work-dir', work_dir, '--resume', *args]
        args = [{**os.environ, **environment}, *map(str, args)]
        self.process = CONTEXT.Process(target=train, args=args)
        self.process.start()

    def wait(self, seconds=PATIENCE):
        """Wait for the end; returns the status, None after so many seconds."""
        self.process.join(seconds)
        status = self.process.exitcode
        if status is None and seconds == PATIENCE:
            self.kill()
            raise TimeoutError(printed())
        return status

    def kill(self):
        self.process.kill()
        self.process.join()


def train_ranks(config, work_dir):
    """Train in two processes over gloo; returns the status of each."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    place = dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE='2')
    ranks = [
        Training(
            *(config, work_dir, '--launcher', 'pytorch'),
            **dict(place, RANK=rank, LOCAL_RANK=rank),
        )
        for rank in '01'
    ]
    return [rank.wait() for rank in ranks]


def printed():
    path = Path('printed.txt')
    return path.read_text(errors='replace') if path.is_file() else ''


def finish(config, work_dir, *args):
    """Train to the end."""
    status = Training(config, work_dir, *args).wait()
    assert status == 0, printed()[-3000:]


def newest(work_dir):
    """Position of the newest whole checkpoint, with the name of its file."""
    path, _ = find_resumable(work_dir, Path(work_dir, 'last_checkpoint'))
    return ((0, 0), None) if path is None else (read_position(path), path.name)


def flatten(value, name=''):
    """Yield everything a checkpoint holds, each number under its name."""
    if isinstance(value, HistoryBuffer):
        value = dict(value.__dict__, _statistics_methods=None)
    if isinstance(value, dict):
        for key, part in value.items():
            if not TIMES.search(str(key)):
                yield from flatten(part, f'{name}.{key}')
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from flatten(part, f'{name}.{index}')
    else:
        yield name, value


def same(one, two):
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=True)
    if isinstance(one, str) and one.endswith('.pth'):
        return Path(one).name == Path(two).name
    return type(one) is type(two) and (one == two or one != one and two != two)


def end_of(work_dir):
    """Everything in the checkpoints that a run has left, by file and name.

    The files themselves count, too: nothing may be missing, nothing left over.
    """
    folder = Path(work_dir)
    found = {'last': Path((folder / 'last_checkpoint').read_text()).name}
    for path in (*folder.glob('.*.part'), *folder.glob('*.pth')):
        found[path.name] = 'file'
        if path.suffix == '.pth':
            found.update(flatten(torch.load(path), path.name))
    return found


def without_removals(end):
    """Where a run has other files to remove on its way, their names differ."""
    return {name: value for name, value in end.items() if 'outdated' not in name}


def differences(one, two):
    """Names of what is not the same in two ends, bit by bit."""
    return sorted(
        name
        for name in one.keys() | two.keys()
        if name not in one or name not in two or not same(one[name], two[name])
    )


class Ledger:
    """Counts what was done to how many runs."""

    def __init__(self):
        self.kills, self.runs, self.equal = Counter(), Counter(), Counter()

    def add(self, kind, kills, whole, ended):
        """Note a run and fail if it did not end like the uninterrupted one."""
        wrong = differences(whole, ended)
        self.kills[kind] += kills
        self.runs[kind] += 1
        self.equal[kind] += not wrong
        assert len(whole) > 50 and not wrong, wrong

    def rows(self):
        total = [sum(counts.values()) for counts in (self.kills, self.runs, self.equal)]
        kinds = [(k, self.kills[k], self.runs[k], self.equal[k]) for k in self.runs]
        return [
            f'{kind:44s} {kills:4d} kills, {runs:3d} runs, {equal:3d} equal'
            for kind, kills, runs, equal in [*kinds, ('all', *total)]
        ]


LEDGER = Ledger()
