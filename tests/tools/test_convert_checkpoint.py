import importlib.util

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner.checkpoint import load_checkpoint

from ssvad.models import I3D
from ssvad.models.reference_weights import TAPS, our_name
from tests.helpers import ROOT
from tests.models.test_reference_weights import (
    i3d_state,
    released_shapes,
    released_state,
    without,
)


@pytest.fixture
def build():
    """Build a model as a Runner does."""

    def build(model):
        init_default_scope('mmaction')
        return MODELS.build(model)

    yield build
    DefaultScope._instance_dict.clear()


def randomised(module):
    """Weights as after a training: running statistics are not 0 and 1."""
    for name, value in module.state_dict().items():
        if 'running' in name:
            value.uniform_(0.5, 2)
        elif 'num_batches' in name:
            value.fill_(7)
    return module.eval()


def as_published(i3d):
    """The state of a whole pytorch-i3d network with this trunk."""
    trunk = i3d.state_dict().items()
    return {**i3d_state(), **{k: v for k, v in trunk if 'num_batches' not in k}}


@pytest.mark.parametrize(
    'save',
    [
        lambda state, file: torch.save(state, file),
        # as torch wrote in 2017
        lambda state, file: torch.save(
            state, file, _use_new_zipfile_serialization=False
        ),
        lambda state, file: torch.save(
            dict(model_state_dict={f'module.{k}': v for k, v in state.items()}), file
        ),
    ],
    ids=['plain', 'old', 'nested'],
)
def test_i3d_from_file_to_features(tool, tmp_path, capsys, save, build):
    source = randomised(I3D(out_endpoints=TAPS))
    save(as_published(source), tmp_path / 'rgb_charades.pt')
    tool('convert_checkpoint.py', 'rgb_charades.pt', 'new/folder/i3d.pth')
    init = dict(type='OptionalPretrained', checkpoint='new/folder/i3d.pth')
    target = build(dict(type='I3D', out_endpoints=TAPS, init_cfg=init))
    target.init_weights()
    clip = torch.rand(1, 3, 8, 40, 40)
    with torch.no_grad():
        for one, two in zip(source(clip), target.eval()(clip)):
            assert torch.equal(one, two)
    out = capsys.readouterr().out
    assert '225 matched, 0 missing, 0 unexpected, 62 left out' in out
    assert 'left out: Mixed_5b (30)' in out and 'left out: logits (2)' in out
    assert '45 num_batches_tracked' in out
    assert 'SSVAD_I3D' in out


@pytest.mark.parametrize(
    'config, prefix',
    [('ucf24_sup.py', []), ('ucf24_semi_var.py', ['--prefix', 'detector.'])],
)
def test_detector_from_file_to_the_config(
    tool, tmp_path, config, prefix, build, capsys
):
    torch.manual_seed(0)
    state = {k: torch.rand(shape) for k, shape in released_shapes().items()}
    torch.save(dict(state_dict=state, epoch=3), tmp_path / 'released.pth')
    tool('convert_checkpoint.py', 'released.pth', 'out.pth', *prefix)
    model = build(Config.fromfile(ROOT / 'configs' / config).model)
    meta = load_checkpoint(model, 'out.pth', strict=True)['meta']
    assert meta == dict(source='released.pth', kind='detector')
    loaded = getattr(model, 'detector', model).state_dict()
    for key, value in state.items():
        value = value.long() if 'num_batches' in key else value
        assert torch.equal(loaded[our_name(key)].flatten(), value.flatten()), key
    assert f'python tools/test.py configs/{config} out.pth\n' in capsys.readouterr().out


@pytest.mark.parametrize('num_classes, config', [(21, 'jhmdb21_sup.py'), (7, None)])
def test_other_class_counts_are_said(tool, tmp_path, capsys, num_classes, config):
    torch.save(released_state(num_classes), tmp_path / 'released.pth')
    tool('convert_checkpoint.py', 'released.pth', 'out.pth')
    out = capsys.readouterr().out
    assert f'test.py {f"configs/{config}" if config else "CONFIG"} out.pth' in out
    assert f'a config of {num_classes} classes' in out
    assert config is None or (ROOT / 'configs' / config).is_file()


def test_partial_files_write_only_if_allowed(tool, tmp_path, capsys):
    state = without(released_state(), 'smooth.bias')
    torch.save({**state, 'sentenceNet.bias': torch.ones(1)}, tmp_path / 'part.pth')
    (tmp_path / 'out.pth').write_text('old')
    with pytest.raises(SystemExit) as caught:
        tool('convert_checkpoint.py', 'part.pth', 'out.pth')
    assert caught.value.code == (
        'part.pth: nothing written: 1 missing: head.smooth.bias; '
        '1 unexpected: sentenceNet.bias'
    )
    assert (tmp_path / 'out.pth').read_text() == 'old'
    tool('convert_checkpoint.py', 'part.pth', 'out.pth', '--allow-partial')
    out = capsys.readouterr().out
    assert 'missing: head.smooth.bias\nunexpected: sentenceNet.bias\n' in out
    assert len(torch.load(tmp_path / 'out.pth')['state_dict']) == 292
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.pth', 'part.pth']


def test_a_failed_write_leaves_the_old_file(tool, tmp_path, monkeypatch):
    torch.save(i3d_state(), tmp_path / 'rgb.pt')
    (tmp_path / 'out.pth').write_text('old')

    def disk_full(content, path):
        path.write_text('half')
        raise OSError('no space left')

    monkeypatch.setattr(torch, 'save', disk_full)
    with pytest.raises(OSError, match='no space left'):
        tool('convert_checkpoint.py', 'rgb.pt', 'out.pth')
    assert (tmp_path / 'out.pth').read_text() == 'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.pth', 'rgb.pt']


@pytest.mark.parametrize(
    'saved, args, message',
    [
        (None, ['a.pt', 'b.pth'], 'a.pt: cannot be read: No such file'),
        (b'<html>', ['a.pt', 'b.pth'], 'a.pt: cannot be read as plain weights'),
        ({'fc.weight': torch.ones(1)}, ['a.pt', 'b.pth'], 'expected the names of'),
        ({'x': 3}, ['a.pt', 'b.pth'], 'expected a dict of named tensors'),
        ({'Mixed_4f.x': torch.ones(1)}, ['a.pt', 'a.pt'], 'is the file to read'),
        (i3d_state(), ['a.pt', 'b.pth', '--prefix', 'detector.'], 'no --prefix'),
    ],
)
def test_mistakes_are_one_sentence(tool, tmp_path, saved, args, message):
    if isinstance(saved, bytes):
        (tmp_path / 'a.pt').write_bytes(saved)
    elif saved is not None:
        torch.save(saved, tmp_path / 'a.pt')
    with pytest.raises(SystemExit) as caught:
        tool('convert_checkpoint.py', *args)
    assert message in caught.value.code and '\n' not in caught.value.code
    assert not (tmp_path / 'b.pth').exists()


def test_tool_and_configs_mean_the_same_file(monkeypatch):
    monkeypatch.delenv('SSVAD_I3D', raising=False)
    path = ROOT / 'tools/convert_checkpoint.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = Config.fromfile(ROOT / 'configs/ucf24_sup.py').model
    assert model.backbone.init_cfg.checkpoint == module.I3D_PATH
