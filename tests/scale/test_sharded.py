"""Training divided among processes (FSDP) is the training of DDP."""

import json
from pathlib import Path

import pytest
import torch

from tests.helpers import ROOT
from tests.scale.comparison import curve_of, distance, run_on_ranks
from tests.toy_run import write_config

METHOD = 'stable mean teacher'  # has all: a teacher, and a network of its own
VALIDATED = """
custom_imports['imports'].append('tests.scale.uneven')
model['type'] = 'UnevenModel'
env_cfg['dist_cfg']['timeout'] = 300  # a hang fails
val_dataloader['dataset'] = dict(type='FewNumbers', count=7)
default_hooks['checkpoint']['type'] = 'AtomicCheckpointHook'
"""
SHARDED = """
runner_type = 'FlexibleRunner'
strategy = dict(type='ShardedStrategy', units=['Linear'])
custom_hooks = [dict(type='UnshardedEvaluationHook')]
"""
WHOLE = """
train_dataloader['batch_size'] = 4
custom_hooks = []
"""


@pytest.mark.slow
def test_curves_weights_and_teacher_are_those_of_ddp_also_when_resumed(tmp_path):
    shared = dict(method=METHOD, batch=2, clips=4)
    whole = dict(shared, run='whole', place='whole', sharded=True)
    half = dict(shared, place='halves', sharded=True)
    runs = [
        dict(shared, run='ddp'),
        whole,
        dict(half, run='first', epochs=1),
        dict(half, run='second', resume=True),
    ]
    run_on_ranks(runs, 2, tmp_path)
    ddp = curve_of(tmp_path, 'ddp', ranks=2)
    sharded = curve_of(tmp_path / 'whole', 'whole', ranks=2)
    assert max(distance(ddp, sharded)) < 1e-12
    first, second = (
        curve_of(tmp_path / 'halves', run, ranks=2) for run in ('first', 'second')
    )
    resumed = (first[0] + second[0], second[1])
    assert max(distance(sharded, resumed)) < 1e-12

    # the checkpoint is an ordinary one
    saved = torch.load(tmp_path / 'whole/epoch_2.pth')['state_dict']
    assert set(saved) == set(ddp[1])
    torch.testing.assert_close(saved, sharded[1], rtol=0, atol=0)


@pytest.mark.slow
def test_validation_is_that_of_one_process_and_waits_for_nobody(run, tool, tmp_path):
    config = write_config(tmp_path, VALIDATED + SHARDED)
    run(ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', 'sharded')
    config = write_config(tmp_path, VALIDATED + WHOLE)
    tool('train.py', config, '--work-dir', 'one')
    scores = [read_scores(tmp_path / name) for name in ('sharded', 'one')]
    assert len(scores[0]) == 2
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    names = [
        sorted(path.name for path in (tmp_path / name).glob('*.pth'))
        for name in ('sharded', 'one')
    ]
    assert names[0] == names[1]
    assert sum('best' in name for name in names[0]) == 1

    # the configs that the run has left, with one process
    config = tmp_path / 'sharded' / Path(config).name
    tool('test.py', config, tmp_path / 'sharded/epoch_2.pth', '--work-dir', 'tested')
    (log,) = (tmp_path / 'tested').glob('*/*.json')
    tested = json.loads(log.read_text())['toy/mean']
    assert tested == pytest.approx(scores[0][-1], abs=1e-5)
    with pytest.raises(ValueError, match='use tools/dist_train.sh CONFIG GPUS'):
        tool('train.py', config, '--work-dir', 'alone')


def read_scores(folder):
    (log,) = folder.glob('*/vis_data/scalars.json')
    rows = [json.loads(row) for row in log.read_text().splitlines()]
    return [row['toy/mean'] for row in rows if 'toy/mean' in row]


def test_gradients_are_not_clipped_part_by_part():
    from mmengine._strategy.fsdp import FSDPStrategy

    from ssvad.engine import ShardedStrategy

    strategy = ShardedStrategy.__new__(ShardedStrategy)
    assert isinstance(strategy, FSDPStrategy)
    with pytest.raises(ValueError, match='ShardedStrategy cannot clip'):
        strategy.build_optim_wrapper(dict(clip_grad=dict(max_norm=1)))
