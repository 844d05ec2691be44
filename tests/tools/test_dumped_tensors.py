"""Dumps of tools/test.py: pickles that run nothing and take no more than they hold."""

import io
import os
import pickle
from collections import OrderedDict

import pytest
import torch

from detections.dumped_results import read_dump


class Attack:
    """Pickles as a call."""

    def __init__(self, argument, call=os.mkdir):
        self.what = call, (argument,)

    def __reduce__(self):
        return self.what


class Tensor:
    """Pickles as a tensor of two numbers that claims another shape."""

    def __init__(self, size, stride=(1,), offset=0):
        self.claims = offset, size, stride, False, OrderedDict()

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (torch.zeros(2).storage(), *self.claims)


@pytest.mark.filterwarnings('ignore:TypedStorage is deprecated')
@pytest.mark.parametrize(
    'claims', [((10**9,),), ((10**9,), (0,)), ((2,), (1,), 1), ((2,), (2,)), ((-1,),)]
)
def test_a_dumped_tensor_gets_no_more_memory_than_its_numbers(tmp_path, claims):
    path = tmp_path / 'dump.pkl'
    path.write_bytes(pickle.dumps([dict(pred=Tensor(*claims))]))
    with pytest.raises(ValueError, match='dump.pkl: cannot be read as what'):
        read_dump(path)


@pytest.mark.filterwarnings('ignore:TypedStorage is deprecated')
def test_a_dumped_tensor_keeps_its_shape(tmp_path):
    path = tmp_path / 'dump.pkl'
    path.write_bytes(pickle.dumps([dict(pred=torch.arange(6.0).reshape(2, 3).T)]))
    assert torch.equal(read_dump(path)[0]['pred'], torch.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize('hidden', [False, True])
def test_a_dump_runs_nothing(tmp_path, hidden):
    proof = tmp_path / 'proof'
    attack = Attack(str(proof))
    if hidden:
        raw = io.BytesIO()
        torch.save(attack, raw)
        attack = Attack(raw.getvalue(), torch.storage._load_from_bytes)
    (tmp_path / 'dump.pkl').write_bytes(pickle.dumps([dict(pred=attack)]))
    with pytest.raises(ValueError, match='dump.pkl: cannot be read as what'):
        read_dump(tmp_path / 'dump.pkl')
    assert not proof.exists()
