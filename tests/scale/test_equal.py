"""A step of one batch, of several batches, or of one batch on each of several ranks.

Long form, all methods, 2 and 4 ranks, prints a table: ``SSVAD_SCALE=1 pytest -s``.
"""

import os

import pytest

from tests.models.methods import METHODS
from tests.scale.comparison import (
    curve_of,
    distance,
    divided,
    name_of,
    run_alone,
    run_on_ranks,
)

pytestmark = pytest.mark.slow
LONG = 'SSVAD_SCALE' in os.environ
CHOSEN = list(METHODS) if LONG else ['variance+l2', 'stable mean teacher', 'isd']
RANKS = [2, 4] if LONG else [2]
EQUAL = 1e-9
# what these do with a clip depends on the other clips of its batch
COUPLED = {
    'released': 'mean attention of the batch',
    'isd': 'partners, foreground voxels',
    'mixmatch': 'partners',
}
# the queues hold what was put into them before: with several batches a step, more
QUEUED = {'cepm': 'queues'}
# its Dice term is one of all ranks whatever the config says
ALWAYS_OF_ALL = {'mixmatch'}
# pairs of runs that should be one, with Dice over the batch or over each clip
PAIRS = dict(
    by_ranks=(('one', 'batch'), ('ranks', 'batch')),
    by_batches=(('one', 'clip'), ('accumulated', 'clip')),
    in_turn=(('in_turn', 'clip'), ('ranks', 'clip')),
)
RUNS = {run for pair in PAIRS.values() for run in pair}


def read(method, ranks, kind, dice, folder):
    run = name_of(f'{method}{ranks}{dice}', kind)
    processes = ranks if kind == 'ranks' else 1
    batches = 1 if kind in ('one', 'ranks') else ranks
    return curve_of(folder, run, processes, batches)


@pytest.fixture(scope='module', params=RANKS)
def trained(request, tmp_path_factory):
    """All runs with so many ranks."""
    ranks, folder = request.param, tmp_path_factory.mktemp('runs')
    together = []
    for method in CHOSEN:
        for dice in ('batch', 'clip'):
            for kind, settings in divided(method, ranks, dice=dice).items():
                settings['run'] = name_of(f'{method}{ranks}{dice}', kind)
                if (kind, dice) not in RUNS:
                    continue
                if kind == 'ranks':
                    together.append(settings)
                else:
                    run_alone(settings, folder)
    run_on_ranks(together, ranks, folder)
    return ranks, folder


@pytest.mark.parametrize('method', CHOSEN)
def test_ranks_and_batches_are_one(trained, method):
    ranks, folder = trained
    apart = {
        name: max(distance(*(read(method, ranks, *run, folder) for run in pair)))
        for name, pair in PAIRS.items()
    }
    if LONG:
        figures = ' | '.join(f'{found:.0e}' for found in apart.values())
        why = COUPLED.get(method, QUEUED.get(method, ''))
        print(f'\n| {method} | {ranks} | {figures} | {why} |')
    alone = method not in COUPLED
    expected = dict(
        by_ranks=alone,
        by_batches=alone and method not in QUEUED,
        in_turn=method not in {*QUEUED, *ALWAYS_OF_ALL},
    )
    assert {name: found < EQUAL for name, found in apart.items()} == expected, apart
