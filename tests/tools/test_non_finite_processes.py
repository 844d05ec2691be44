"""Two processes of which one sees what is not finite: both stop, or both skip."""

import re

import pytest
import torch

from tests.helpers import ROOT
from tests.noisy_run import assert_equal, noisy_config

pytestmark = pytest.mark.slow


def train(run, folder, policy):
    cfg = noisy_config(folder / policy, log_level='WARNING')
    cfg.custom_imports.imports.append('tests.toy_run')
    cfg.custom_hooks += [
        dict(type='NonFiniteHook', policy=policy),
        dict(type='DumpWeightsHook'),
    ]
    cfg.train_cfg.max_epochs = 1
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.datasets[0].poison = 1e20
    cfg.dump(str(folder / 'noisy.py'))
    return run(ROOT / 'tools/dist_train.sh', folder / 'noisy.py', 2)


def test_both_stop_in_the_same_step(run, tmp_path):
    with pytest.raises(AssertionError, match='FloatingPointError') as error:
        train(run, tmp_path, 'stop')
    records = [
        torch.load(tmp_path / f'stop/non_finite_rank{rank}.pth', weights_only=True)
        for rank in (0, 1)
    ]
    assert records[0]['progress'] == records[1]['progress']
    infinite = [
        any(
            value == torch.inf
            for part in record['passes']
            for value in part['losses'].values()
        )
        for record in records
    ]
    assert sum(infinite) == 1  # one process has seen the clip
    message = re.search('FloatingPointError: (iteration.*)', str(error.value))[1]
    assert 'loss_sup = inf' in message and 'clip0' in message
    assert f'rank{infinite.index(True)}.pth' in message


def test_both_skip_the_same_steps(run, tmp_path):
    printed = train(run, tmp_path, 'skip')
    assert 'skipped step number 2' in printed
    first, second = (torch.load(tmp_path / f'skip/weights_{r}.pt') for r in (0, 1))
    assert_equal(first, second)
    assert all(value.isfinite().all() for value in first.values())
