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


def apart(method, ranks, kinds, folder):
    """How far two kinds of runs are apart; ``kinds`` as (name, dice) pairs."""
    return distance(*(read(method, ranks, *kind, folder) for kind in kinds))


def read(method, ranks, kind, dice, folder):
    run = name_of(f'{method}{ranks}{dice}', kind)
    processes = ranks if kind == 'ranks' else 1
    batches = 1 if kind in ('one', 'ranks') else ranks
    return curve_of(folder, run, processes, batches)


@pytest.fixture(scope='module', params=RANKS)
def trained(request, tmp_path_factory):
    """All runs with so many ranks: without Dice, and with all terms."""
    ranks, folder = request.param, tmp_path_factory.mktemp('runs')
    together = []
    for method in CHOSEN:
        for dice in (False, True):
            for kind, settings in divided(method, ranks, dice=dice).items():
                settings['run'] = name_of(f'{method}{ranks}{dice}', kind)
                if kind == 'ranks':
                    together.append(settings)
                elif dice == (kind == 'in_turn'):
                    run_alone(settings, folder)
    run_on_ranks(together, ranks, folder)
    return ranks, folder


@pytest.mark.parametrize('method', CHOSEN)
def test_ranks_and_batches_are_one(trained, method):
    ranks, folder = trained
    one = ('one', False)
    by_ranks = apart(method, ranks, [one, ('ranks', False)], folder)
    by_batches = apart(method, ranks, [one, ('accumulated', False)], folder)
    # whatever a term does with a batch: ranks are batches, with all terms
    in_turn = apart(method, ranks, [('in_turn', True), ('ranks', True)], folder)
    if LONG:
        figures = ' | '.join(
            f'{max(found):.0e}' for found in (by_ranks, by_batches, in_turn)
        )
        why = COUPLED.get(method, QUEUED.get(method, ''))
        print(f'\n| {method} | {ranks} | {figures} | {why} |')
    alone = method not in COUPLED
    assert (max(by_ranks) < EQUAL) == alone, by_ranks
    assert (max(by_batches) < EQUAL) == (alone and method not in QUEUED), by_batches
    assert (max(in_turn) < EQUAL) == (method not in QUEUED), in_turn
