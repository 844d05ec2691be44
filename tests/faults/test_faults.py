"""Signals, a full disk, a lost worker, a lost rank: how runs end and go on."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.faults.parts import mid_epoch, write_numbers_config
from tests.faults.runs import (
    LEDGER,
    Training,
    end_of,
    finish,
    newest,
    printed,
    train_ranks,
    without_removals,
)

pytestmark = pytest.mark.slow

# 8 iterations an epoch: the 13th is in the second
STATUS = dict(SIGTERM=143, SIGUSR1=138, all=143)


@pytest.fixture
def faulty(tmp_path):
    """Write the config of a run to which something happens."""

    def write(fault, **settings):
        os.makedirs('faulty', exist_ok=True)
        settings = dict(dict(keep=1), **settings)
        return write_numbers_config('faulty', faults=[fault], **settings)

    return write


@pytest.mark.parametrize('action', STATUS)
def test_a_signal_ends_the_run_after_its_iteration(whole, faulty, action):
    config = faulty(f'{action} before_train_iter 12')
    assert Training(config, 'w').wait() == STATUS[action], printed()
    name = 'SIGUSR1' if action == 'SIGUSR1' else 'SIGTERM'
    last = Path('w/epoch_1.pth').resolve()
    said = f'{name}: training stops after iteration 13; --resume goes on from {last}'
    assert said in printed() and 'Traceback' not in printed()
    assert newest('w') == ((8, 1), 'epoch_1.pth')
    finish(write_numbers_config('.', keep=1), 'w')
    LEDGER.add(f'{action} in an epoch', 1, whole()[0], end_of('w'))


def test_a_signal_in_the_validation(whole, faulty):
    config = faulty('SIGTERM after_val_iter 3')
    assert Training(config, 'w').wait() == 143, printed()
    assert 'SIGTERM: training stops in the validation' in printed()
    finish(write_numbers_config('.', keep=1), 'w')
    LEDGER.add('SIGTERM in the validation', 1, whole()[0], end_of('w'))


def test_a_signal_saves_where_that_is_possible_within_an_epoch(faulty):
    within = mid_epoch(interval=100)
    calm = write_numbers_config('.', keep=1, extra=within)
    finish(calm, 'whole')
    config = faulty('SIGTERM before_train_iter 12', extra=within)
    assert Training(config, 'w').wait() == 143, printed()
    assert newest('w') == ((13, 1), 'iter_13.pth')
    finish(calm, 'w')
    ends = (without_removals(end_of(name)) for name in ('whole', 'w'))
    LEDGER.add('SIGTERM, saved within the epoch', 1, *ends)


def test_a_signal_to_one_of_two_ranks_ends_both(faulty):
    calm = write_numbers_config('.', keep=1)
    assert train_ranks(calm, 'whole') == [0, 0], printed()
    config = faulty('SIGTERM before_train_iter 5 rank 1')
    assert train_ranks(config, 'w') == [143, 143], printed()
    assert 'SIGTERM: training stops after iteration 6' in printed()
    assert train_ranks(calm, 'w') == [0, 0], printed()
    LEDGER.add('SIGTERM to one of two ranks', 1, end_of('whole'), end_of('w'))

    # and neither waits for one that is lost
    os.rename('w', 'before')
    config = faulty('kill before_train_iter 5 rank 1')
    first, second = train_ranks(config, 'w')
    assert second == -9 and first not in (None, 0)
    assert train_ranks(calm, 'w') == [0, 0], printed()
    LEDGER.add('one of two ranks', 1, end_of('whole'), end_of('w'))


def test_a_lost_worker_is_named(faulty):
    calm = write_numbers_config('.', keep=1, workers=2)
    finish(calm, 'whole')
    config = faulty('killworker before_train_iter 9', workers=2)
    assert Training(config, 'w').wait() == 1
    assert 'is killed by signal: Killed' in printed()
    assert 'DataLoader worker (pid' in printed()
    finish(calm, 'w')
    LEDGER.add('a loader worker', 1, end_of('whole'), end_of('w'))


@pytest.fixture
def small():
    """A disk of 1 MB."""
    os.mkdir('small')
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'faults', 'small']
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('this user cannot mount a small disk')
    yield Path('small')
    subprocess.run(['umount', 'small'], check=True)


def test_a_full_disk(whole, faulty, small):
    config = faulty('fill after_train_iter 15')
    assert Training(config, 'small/w').wait() == 1, printed()
    message = printed().splitlines()[-1]
    file = (small / 'w/epoch_2.pth').resolve()
    assert message.startswith('train.py: error: [Errno 28] No space left on device: ')
    assert 'bytes needed, ' in message and f"free; not written: '{file}'" in message
    assert message.endswith('Make room and go on with --resume: nothing is lost')
    assert newest(small / 'w') == ((8, 1), 'epoch_1.pth')
    assert not list(small.glob('w/.*.part'))
    (small / 'filler').unlink()
    finish(write_numbers_config('.', keep=1), 'small/w')
    LEDGER.add('a full disk', 1, whole()[0], end_of(small / 'w'))


def test_a_torn_newest_falls_back_and_names_both(whole, tmp_path):
    config = write_numbers_config('.', keep=2)
    finish(config, 'w')
    torn, previous = (Path(f'w/epoch_{n}.pth').resolve() for n in (3, 2))
    os.truncate(torn, 5000)
    finish(config, 'w')
    (warning,) = [line for line in printed().splitlines() if 'WARNING' in line and
                  'going on from' in line]  # fmt: skip
    assert f'{torn}: cannot be resumed: it is cut off or damaged' in warning
    assert f'going on from the previous one, {previous}' in warning
    ends = map(without_removals, (whole(2)[0], end_of('w')))
    LEDGER.add('a torn newest checkpoint', 1, *ends)

    # asked for by name, it is an error
    os.truncate(torn, 5000)
    asked = Training(config, 'w', '--resume', torn)
    assert asked.wait() == 2
    assert printed().splitlines()[-1].startswith(f'train.py: error: {torn}: cannot be')
