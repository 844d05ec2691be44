import logging
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner

from tests.helpers import ROOT
from tests.toy_run import forget_runs, write_config

START = {'linear.weight': torch.tensor([[3.0, 4.0]]), 'linear.bias': torch.ones(1)}
# the toy run, from start.pth and without learning
FROZEN = dict(
    model=dict(init_cfg=dict(type='OptionalPretrained', checkpoint='start.pth')),
    optim_wrapper=dict(optimizer=dict(lr=0.0)),
    custom_hooks=[],
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def warned(caplog):
    """Gives the warnings of the current logger so far."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [
        r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING
    ]
    logger.removeHandler(caplog.handler)


def tiny_i3d(checkpoint='none.pth'):
    init = dict(type='OptionalPretrained', checkpoint=str(checkpoint))
    return MODELS.build(dict(type='I3D', width=0.0625, init_cfg=init))


def start_run(work_dir, **changes):
    """Runner of the toy run in this folder."""
    forget_runs()
    cfg = Config.fromfile(write_config(Path()))
    cfg.merge_from_dict(dict(FROZEN, work_dir=work_dir, **changes))
    return Runner.from_cfg(cfg)


def weights(runner):
    return dict(runner.model.state_dict())


def count_warnings(runner):
    log = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    return log.count('no pretrained weights')


def test_file_is_loaded_into_the_module(tmp_path, warned):
    source = tiny_i3d()
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'i3d.pth')
    target = tiny_i3d(tmp_path / 'i3d.pth')
    target.init_weights()
    torch.testing.assert_close(target.state_dict(), source.state_dict(), rtol=0, atol=0)
    assert not warned()


def test_absent_file_is_one_warning_and_changes_nothing(tmp_path, warned):
    model = tiny_i3d(tmp_path / 'none.pth')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.init_weights()
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    (warning,) = warned()
    assert 'I3D starts from scratch' in warning and 'published numbers' in warning
    command = f'tools/convert_checkpoint.py rgb_charades.pt {tmp_path / "none.pth"}`'
    assert command in warning


@pytest.mark.parametrize(
    'change, text',
    [
        (
            lambda s: s.pop('Mixed_4f.b0.bn.bias'),
            r'Missing key.*Mixed_4f\.b0\.bn\.bias',
        ),
        (lambda s: s.update({'logits.x': torch.ones(1)}), r'Unexpected key.*logits\.x'),
        (
            lambda s: s.update({'Mixed_4f.b0.bn.bias': torch.ones(7)}),
            r'size mismatch for Mixed_4f\.b0\.bn\.bias',
        ),
        (lambda s: s.clear(), 'expected a dict of named tensors'),
    ],
)
def test_file_that_fits_in_part_is_refused(tmp_path, change, text):
    state = tiny_i3d().state_dict()
    change(state)
    torch.save(dict(state_dict=state), tmp_path / 'i3d.pth')
    with pytest.raises(RuntimeError, match=f'(?s)convert_checkpoint.py .*{text}'):
        tiny_i3d(tmp_path / 'i3d.pth').init_weights()


def test_training_starts_from_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(START, 'start.pth')
    runner = start_run('w')
    runner.train()
    torch.testing.assert_close(weights(runner), START)
    assert count_warnings(runner) == 0


def test_checkpoints_win_and_testing_does_not_warn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = {name: value + 1 for name, value in START.items()}
    torch.save(START, 'start.pth')
    torch.save(dict(state_dict=other), 'other.pth')
    tuned = start_run('tuned', load_from='other.pth')
    tuned.train()
    torch.testing.assert_close(weights(tuned), other)

    Path('start.pth').unlink()
    resumed = start_run('resumed', load_from='tuned/epoch_1.pth', resume=True)
    resumed.train()
    tested = start_run('tested', load_from='resumed/epoch_2.pth')
    tested.test()
    torch.testing.assert_close(weights(tested), other)
    assert [count_warnings(r) for r in (tuned, resumed, tested)] == [0, 1, 0]


@pytest.mark.parametrize('name', ['ucf24_sup.py', 'ucf24_semi_var.py'])
def test_configs_of_the_paper_ask_for_the_file(name, monkeypatch):
    monkeypatch.setenv('SSVAD_I3D', 'elsewhere.pth')
    model = Config.fromfile(ROOT / 'configs' / name).model
    init = model.get('detector', model).backbone.init_cfg
    assert init == dict(type='OptionalPretrained', checkpoint='elsewhere.pth')
