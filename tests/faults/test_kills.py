"""SIGKILL at chosen points and at random moments; the resumed run ends the same."""

import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import KILLS
from tests.faults.parts import mid_epoch, write_numbers_config, write_teacher_config
from tests.faults.runs import (
    LEDGER,
    Training,
    end_of,
    finish,
    newest,
    printed,
    without_removals,
)
from tests.helpers import ROOT

pytestmark = pytest.mark.slow

# in the middle of a file, whole but under its first name, under its last name, ...
WRITING = [
    f'kill {when} {name}'
    for name in ('^.?epoch_2', '^.?last_checkpoint', '^.?best_toy_mean_epoch_2')
    for when in ('half fsync', 'before replace', 'after replace')
]
POINTS = [
    *WRITING,
    *(f'kill {when} remove ^epoch_1.pth' for when in ('before', 'after')),
    *(f'kill {when} remove ^best_toy_mean_epoch_1' for when in ('before', 'after')),
    *('kill before_train_iter 8', 'kill after_train_iter 15', 'kill after_val_iter 3'),
]
SHORT = [POINTS[i] for i in (0, 2, 4, 8, 11, 15)]


def die(config, work_dir):
    assert Training(config, work_dir).wait() == -signal.SIGKILL, printed()


@pytest.mark.parametrize('point', POINTS if KILLS else SHORT)
def test_killed_at_this_point(whole, point, tmp_path):
    expected, _ = whole(1)
    calm = write_numbers_config(tmp_path, keep=1)
    os.mkdir('faulty')
    die(write_numbers_config('faulty', keep=1, faults=[point]), 'w')
    # no point is before the first epoch has been saved
    assert newest('w')[0].epoch >= 1
    finish(calm, 'w')
    LEDGER.add(point.split(' ', 1)[1], 1, expected, end_of('w'))


def kill_and_resume(config, work_dir, times, duration, rng):
    """Kill a run so many times, then let it finish; returns how often it was killed."""
    position = (0, 0)
    for kills in range(times):
        training = Training(config, work_dir)
        # a resumed run is the shorter the further it has come
        if training.wait(rng.uniform(0, duration / 2)) is not None:
            return kills
        training.kill()
        # never less than before
        before, position = position, newest(work_dir)[0]
        assert position >= before
    finish(config, work_dir)
    return times


def test_killed_at_random_moments(whole, tmp_path):
    rng = random.Random(time.time_ns() if KILLS else 0)
    left, run = max(3, KILLS - len(POINTS) - 5), 0
    while left > 0:
        keep = 1 + run % 2
        expected, duration = whole(keep)
        config = write_numbers_config(tmp_path, keep=keep)
        kills = kill_and_resume(config, f'w{run}', min(left, 5), duration, rng)
        LEDGER.add('numbers, random moments', kills, expected, end_of(f'w{run}'))
        left, run = left - kills, run + 1


def test_killed_after_an_iteration_and_resumed_within_the_epoch(tmp_path):
    within = mid_epoch(interval=2)
    calm = write_numbers_config(tmp_path, keep=2, extra=within)
    finish(calm, 'whole')
    os.mkdir('faulty')
    # of 24; before and after one that is saved, and before the last validation
    for done in range(2, 25) if KILLS else (9, 10, 24):
        faults, run = [f'kill after_train_iter {done - 1}'], f'w{done}'
        die(write_numbers_config('faulty', keep=2, extra=within, faults=faults), run)
        assert newest(run)[0].iter == done - done % 2
        finish(calm, run)
        ends = (without_removals(end_of(name)) for name in ('whole', run))
        LEDGER.add('an iteration, resumed within the epoch', 1, *ends)


@pytest.fixture
def toy(monkeypatch):
    """A toy set of 8 training videos (4 labelled) and 4 test videos."""
    arguments = ['make_toy_dataset.py', '--out-dir', 'toy', '--num-train', '8']
    arguments += ['--num-test', '4', '--labeled-fraction', '0.5']
    monkeypatch.setattr(sys, 'argv', arguments)
    runpy.run_path(str(ROOT / 'tools/make_toy_dataset.py'), run_name='__main__')
    monkeypatch.setenv('SSVAD_TOY', os.path.abspath('toy'))


def test_a_teacher_and_its_student_survive(toy, tmp_path):
    config = write_teacher_config(tmp_path)
    begin = time.monotonic()
    finish(config, 'whole')
    duration = time.monotonic() - begin
    expected = end_of('whole')
    assert any('.state_dict.teacher.' in name for name in expected)
    assert any('best_score' in name for name in expected)
    rng = random.Random(time.time_ns() if KILLS else 0)
    kills = kill_and_resume(config, 'w', 5 if KILLS else 1, duration, rng)
    LEDGER.add('Stable Mean Teacher, random moments', kills, expected, end_of('w'))


def test_the_comparison_sees_a_run_that_went_otherwise(whole):
    expected, _ = whole(1)
    finish(write_numbers_config(Path.cwd(), keep=1), 'w', '--seed', 1)
    with pytest.raises(AssertionError, match='state_dict'):
        LEDGER.__class__().add('another seed', 0, expected, end_of('w'))
