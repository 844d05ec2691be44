"""`allow_checkpoint_types`: mmengine's checkpoints load, nothing else does."""

import os
import pickle
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from ssvad import compat
from tests.toy_run import write_config


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Path of a checkpoint after the first of two epochs of a real run."""
    folder = tmp_path_factory.mktemp('run')
    cfg = Config.fromfile(write_config(folder))
    cfg.work_dir = str(folder)
    cfg.experiment_name = folder.name
    Runner.from_cfg(cfg).train()
    return folder / 'epoch_1.pth'


@pytest.fixture
def without_compat():
    """Take back what `allow_checkpoint_types` allows, for one test."""
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(allowed)


def test_allow_list_is_needed(checkpoint, without_compat):
    try:
        torch.load(checkpoint)
    except pickle.UnpicklingError as error:
        assert 'HistoryBuffer' in str(error)
    else:
        pytest.skip('torch loads the checkpoint: allow_checkpoint_types can go')


def test_allow_list_is_enough(checkpoint, without_compat):
    compat.allow_checkpoint_types()
    loaded = torch.load(checkpoint)
    loss = loaded['message_hub']['log_scalars']['train/loss']
    assert len(loss.data[0]) == 4
    assert loss.mean() == loss.data[0].mean()
    assert isinstance(loaded['message_hub']['runtime_info']['best_score'], np.float64)


def test_allow_list_holds_nothing_more_than_a_checkpoint_does(
    checkpoint, without_compat
):
    found = torch.serialization.get_unsafe_globals_in_checkpoint(checkpoint)
    compat.allow_checkpoint_types()
    allowed = torch._weights_only_unpickler._get_user_allowed_globals()
    # a dtype's own type is not named in the file, but asked for when it is filled
    allowed = {n for n in allowed if not re.match(r'numpy\.dtype(s\.|\[)', n)}
    assert {new_name(n) for n in allowed} == {new_name(n) for n in found}


def new_name(name):
    return name.replace('numpy.core.', 'numpy._core.')


@pytest.mark.parametrize('dtype', ['float32', 'float64', 'int64'])
def test_scalars_and_arrays_load(tmp_path, dtype):
    saved = dict(scalar=np.dtype(dtype).type(3), array=np.arange(3, dtype=dtype))
    torch.save(saved, tmp_path / 'x.pth')
    loaded = torch.load(tmp_path / 'x.pth')
    assert loaded['scalar'] == 3 and loaded['scalar'].dtype == dtype
    np.testing.assert_array_equal(loaded['array'], saved['array'])


class Call:
    """Pickles as the call of a function: what an attack looks like."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'attack',
    [
        lambda path: Call(os.mkdir, path),
        lambda path: Call(os.system, f'mkdir {path}'),
        lambda path: Call(exec, f'import os; os.mkdir({path!r})'),
    ],
    ids=['mkdir', 'system', 'exec'],
)
def test_no_checkpoint_runs_code(tmp_path, attack):
    path = tmp_path / 'proof'
    buffer = HistoryBuffer([1.0], [1])
    buffer.extra = attack(str(path))
    file = tmp_path / 'bad.pth'
    torch.save(dict(meta={}, message_hub=buffer), file)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(file)
    assert not path.exists()
    # the file is a real attack: unrestricted loading falls for it
    torch.load(file, weights_only=False)
    assert path.exists()


@pytest.mark.parametrize(
    'owner, name',
    [(HistoryBuffer, '__init__'), (HistoryBuffer, 'update'), (np.ndarray, 'tofile')],
)
def test_getattr_reaches_the_statistics_only(tmp_path, owner, name):
    torch.save(Call(getattr, owner, name), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match=f'got {name!r}'):
        torch.load(tmp_path / 'bad.pth')
