"""Lists that the ranks cannot share evenly: nobody waits, nothing is counted twice."""

import json

import pytest
import torch

from tests.helpers import ROOT
from tests.scale.comparison import run_on_ranks
from tests.toy_run import write_config

pytestmark = pytest.mark.slow
FEW = """
custom_imports['imports'].append('tests.scale.uneven')
env_cfg['dist_cfg']['timeout'] = 300  # a hang fails
model['type'] = 'UnevenModel'
train_dataloader['dataset'] = dict(type='FewNumbers', count=5)
val_dataloader['dataset'] = test_dataloader['dataset'] = dict(
    type='FewNumbers', count=3)
"""


def test_fewer_clips_than_ranks_and_last_batches_that_are_smaller(tmp_path):
    runs = [
        dict(run='few', method='l2', batch=2, clips=2),
        dict(run='rest', method='mean teacher', batch=4, clips=9, accumulate=2),
    ]
    run_on_ranks(runs, 4, tmp_path)
    for run, batches in (('few', 1), ('rest', 2)):
        kept = [torch.load(tmp_path / f'{run}_{rank}.pt') for rank in range(4)]
        for one in kept:
            assert len(one['curve']) == 2 * batches
            for key, value in kept[0]['weights'].items():
                assert torch.equal(one['weights'][key], value), key


@pytest.mark.parametrize('method', ['stable mean teacher', 'pseudo-label', 'mixmatch'])
def test_a_rank_without_labels_takes_part_in_the_dice_of_all(tmp_path, method):
    # clips 0 and 1 are labelled on both ranks, 2 on the first only, then none
    runs = [dict(run='one', method=method, batch=1, clips=5, labeled_first=True)]
    run_on_ranks(runs, 2, tmp_path)
    first, second = (torch.load(tmp_path / f'one_{rank}.pt') for rank in range(2))
    for key, value in first['weights'].items():
        assert torch.equal(second['weights'][key], value), key
    dice = [
        [step['loss_mask_dice'] for step in one['curve']] for one in (first, second)
    ]
    assert dice[0] == dice[1]
    assert [value > 0 for value in dice[0]] == 2 * [True, True, False, False]


def test_fewer_videos_than_ranks_score_as_in_one_process(run, tool, tmp_path):
    config = write_config(tmp_path, FEW)
    run(ROOT / 'tools/dist_train.sh', config, 4, '--work-dir', 'four')
    (log,) = (tmp_path / 'four').glob('*/vis_data/scalars.json')
    last = json.loads(log.read_text().splitlines()[-1])
    tool('test.py', config, tmp_path / 'four/epoch_2.pth', '--work-dir', 'one')
    (log,) = (tmp_path / 'one').glob('*/*.json')
    assert last['toy/mean'] == pytest.approx(json.loads(log.read_text())['toy/mean'])
