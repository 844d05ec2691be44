"""Order of writing and removing, validations that were missed, moved folders."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner, ValLoop

from ssvad.engine import CheckpointError
from tests.toy_run import forget_runs, write_config

EPOCHS = """
default_hooks['checkpoint'].update(type='AtomicCheckpointHook', max_keep_ckpts=1)
"""
ITERATIONS = (
    EPOCHS
    + """
default_hooks['checkpoint'].update(by_epoch=False, interval=4)
train_cfg = dict(type='IterBasedTrainLoop', max_iters=8, val_interval=4)
train_dataloader['sampler'] = dict(type='InfiniteSampler', shuffle=False)
"""
)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Build a runner; what it changes outside of its folder is taken back."""

    def build(work_dir, kind=EPOCHS, **settings):
        forget_runs()
        folder = tmp_path / 'config'
        folder.mkdir(exist_ok=True)
        cfg = Config.fromfile(write_config(folder, kind))
        cfg.merge_from_dict(dict(work_dir=str(tmp_path / work_dir), **settings))
        return Runner.from_cfg(cfg)

    yield build
    forget_runs()


def history(path):
    hub = torch.load(path)['message_hub']
    return hub['log_scalars']['val/toy/mean'].data[0].tolist(), hub['runtime_info']


def killed_in_validation(runner, monkeypatch, number):
    """Train until the validation of this number (from 0) begins."""
    validate, begun = ValLoop.run, []

    def run(self):
        begun.append(self)
        if len(begun) > number:
            raise KeyboardInterrupt
        return validate(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ValLoop, 'run', run)
        runner.train()


@pytest.mark.parametrize(
    'kind, names',
    [(EPOCHS, ('epoch_1', 'epoch_2')), (ITERATIONS, ('iter_4', 'iter_8'))],
)
def test_a_missed_validation_is_made_up_for(start, tmp_path, monkeypatch, kind, names):
    start('whole', kind).train()
    first, last = (f'{name}.pth' for name in names)
    killed_in_validation(start('cut', kind), monkeypatch, 0)
    assert (tmp_path / 'cut' / first).is_file()
    # the first is made up for, the second does not come to its end
    killed_in_validation(start('cut', kind, resume=True), monkeypatch, 1)
    assert (tmp_path / 'cut' / last).is_file()
    start('cut', kind, resume=True).train()
    (expected, whole), (found, cut) = (
        history(tmp_path / name / last) for name in ('whole', 'cut')
    )
    assert found == expected and len(found) == 2
    for key in ('epoch', 'iter', 'best_score', 'last_validation', 'outdated_ckpts'):
        assert cut[key] == whole[key], key


def test_what_is_saved_last_has_the_validation_even_if_it_was_not_the_best(
    start, tmp_path
):
    hook = {'default_hooks.checkpoint.rule': 'less'}
    start('w', **hook).train()
    scores, info = history(tmp_path / 'w/epoch_2.pth')
    assert scores[1] > scores[0] == info['best_score']
    assert info['last_validation'] == 2


def test_old_ones_go_when_new_ones_are_there(start, tmp_path, monkeypatch):
    runner, events = start('w'), []
    for name in ('replace', 'remove'):
        real = getattr(os, name)

        def noted(*paths, name=name, real=real):
            target = Path(paths[-1]).name
            if target.endswith(('.pth', 'checkpoint')):
                events.append(f'{name} {target}')
                held = sorted(path.name for path in (tmp_path / 'w').glob('*.pth'))
                events.append(held)
            return real(*paths)

        monkeypatch.setattr(os, name, noted)
    runner.train()
    steps = [event for event in events if isinstance(event, str)]
    best, last = 'best_toy_mean_epoch', 'replace last_checkpoint'
    first = ['replace epoch_1.pth', last]
    second = ['replace epoch_2.pth', last]
    assert steps == [
        *(*first, f'replace {best}_1.pth', *first),
        *(*second, 'remove epoch_1.pth', f'replace {best}_2.pth'),
        *(*second, f'remove {best}_1.pth'),
    ]
    kept = sorted(path.name for path in (tmp_path / 'w').glob('*.pth'))
    assert kept == [f'{best}_2.pth', 'epoch_2.pth']


def test_what_a_killed_run_left_is_tidied_up(start, tmp_path):
    start('w', **{'train_cfg.max_epochs': 1}).train()
    left = [tmp_path / f'w/.{name}.77.part' for name in ('epoch_2.pth', 'x.pth')]
    left.append(tmp_path / 'w/.last_checkpoint.77.part')
    foreign = tmp_path / 'w/.report.html.77.part'
    for path in (*left, foreign):
        path.touch()
    start('w', resume=True).train()
    assert [path for path in left if path.exists()] == [] and foreign.exists()


def test_a_copied_run_leaves_the_files_of_the_first_alone(start, tmp_path):
    start('w', **{'train_cfg.max_epochs': 1}).train()
    shutil.copytree(tmp_path / 'w', tmp_path / 'copy')
    start('copy', resume=True).train()
    assert (tmp_path / 'w/best_toy_mean_epoch_1.pth').is_file()
    assert (tmp_path / 'copy/best_toy_mean_epoch_2.pth').is_file()
    assert not (tmp_path / 'copy/best_toy_mean_epoch_1.pth').exists()


def test_a_torn_checkpoint_that_was_asked_for_is_refused(start, tmp_path):
    start('w').train()
    path = tmp_path / 'w/epoch_2.pth'
    os.truncate(path, 500)
    with pytest.raises(CheckpointError, match='epoch_2.pth: cannot be resumed: it is'):
        start('w', resume=True, load_from=str(path)).train()


def test_checkpoints_of_mmengine_are_resumed_without_a_validation(start, tmp_path):
    plain = {'default_hooks.checkpoint.type': 'CheckpointHook'}
    start('w', **plain, **{'train_cfg.max_epochs': 1}).train()
    start('w', resume=True).train()
    scores, _ = history(tmp_path / 'w/epoch_2.pth')
    assert len(scores) == 2


def test_nothing_to_resume_starts_anew(start, tmp_path):
    start('w', resume=True).train()
    assert (tmp_path / 'w/epoch_2.pth').is_file()
