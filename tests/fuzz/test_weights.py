"""Checkpoints of strangers: nothing in them runs, and damage is not loaded."""

import io

import pytest
import torch
from hypothesis import strategies as st

from ssvad.models.reference_weights import convert, read_state
from tests.fuzz.mutations import damaged, fuzz, spoilt
from tests.fuzz.sandbox import attempt, tool

STATE = {
    'state_dict': {
        'module.conv_caps.beta_a': torch.arange(3.0),
        'module.primary_caps.a.weight': torch.arange(24.0).reshape(2, 3, 4),
        'module.primary_caps.a.bias': torch.arange(5),
    },
    'meta': {'epoch': 3, 'best': 0.5},
}
ODD = st.sampled_from(
    [None, 0, 1.5, '', 'x\ny', [], {}, [torch.zeros(1)], torch.zeros(0), 1 << 999]
    + [torch.tensor(float('nan')), torch.zeros(2, 2).bool(), complex(1), {0: 0}]
    + [torch.zeros(1, dtype=torch.complex64), torch.zeros(9).to_sparse(), set('a')]
    + [torch.zeros(1).expand(99, 99, 99, 99, 99), torch.device('meta'), torch.Size()]
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


def saved(tree, zipped=True):
    buffer = io.BytesIO()
    torch.save(tree, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def read(folder, raw):
    path = folder / 'w.pth'
    path.write_bytes(raw)
    return attempt('checkpoint', plain_state, [path], path)


def plain_state(path):
    """Names and values, flat; converting is tried too."""
    state = read_state(path)
    try:
        convert(state, allow_partial=True)
    except ValueError:
        pass
    return {name: (value.shape, value.dtype) for name, value in state.items()}


WHOLE = {name[7:]: (v.shape, v.dtype) for name, v in STATE['state_dict'].items()}


@fuzz(60, tree=spoilt(STATE, ODD), zipped=st.booleans())
def test_checkpoints_of_another_structure(folder, tree, zipped):
    read(folder, saved(tree, zipped))


def numbers(path):
    return {name: value.numpy() for name, value in read_state(path).items()}


@fuzz(80, raw=damaged(saved(STATE)))
def test_damaged_zipped_checkpoints_are_refused_or_the_same(folder, raw):
    path = folder / 'w.pth'
    path.write_bytes(raw)
    found = attempt('checkpoint', numbers, [path], path)
    if found is not None:
        assert found.keys() == WHOLE.keys()
        for name, value in STATE['state_dict'].items():
            assert (found[name[7:]] == value.numpy()).all()


@fuzz(40, raw=damaged(saved(STATE, zipped=False)))
def test_damaged_old_checkpoints(folder, raw):
    read(folder, raw)


@fuzz(10, raw=damaged(saved(STATE)) | spoilt(STATE, ODD).map(saved))
def test_the_tool(folder, raw):
    path, out = folder / 'w.pth', folder / 'out.pth'
    path.write_bytes(raw)
    attempt('convert_checkpoint.py', tool, ['convert_checkpoint.py', path, out], path)
    assert not out.exists()
