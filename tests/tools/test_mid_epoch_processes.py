"""Two processes that are resumed within an epoch, each with statistics of its own."""

import pytest
import torch

from tests.helpers import ROOT
from tests.noisy_run import assert_equal, last_state, noisy_config

pytestmark = pytest.mark.slow


def write_config(path, leave=None):
    cfg = noisy_config(path.parent)
    cfg.custom_imports.imports.append('tests.toy_run')
    cfg.custom_hooks.append(dict(type='DumpWeightsHook'))
    if leave is not None:
        cfg.custom_hooks.append(dict(type='LeaveHook', after=leave, process=True))
    cfg.train_dataloader.batch_size = 2
    cfg.dump(str(path))
    return path


# within an epoch, and right at its end, before statistics are averaged
@pytest.mark.parametrize('leave', [7, 20])
def test_two_processes_resume_exactly(run, tmp_path, leave):
    train = ROOT / 'tools/dist_train.sh'
    config = write_config(tmp_path / 'noisy.py')
    run(train, config, 2, '--work-dir', 'whole')
    run(train, write_config(tmp_path / 'leave.py', leave), 2, '--work-dir', 'cut')
    assert not (tmp_path / 'cut/weights_0.pt').exists()
    run(train, config, 2, '--work-dir', 'cut', '--resume')
    assert_equal(last_state(tmp_path / 'cut'), last_state(tmp_path / 'whole'))
    for rank in (0, 1):
        states = [
            torch.load(tmp_path / f'{name}/weights_{rank}.pt')
            for name in ('whole', 'cut')
        ]
        assert_equal(*states)
