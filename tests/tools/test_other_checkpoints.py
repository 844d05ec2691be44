"""Checkpoints of another model, or of a run of another pace: refused, or said so."""

import runpy
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.helpers import ROOT
from tests.toy_run import forget_runs, write_config

STEPWISE = "param_scheduler = dict(type='MultiStepLR', milestones=[1])\n"
COSINE = (
    "param_scheduler = dict(type='CosineAnnealingLR', T_max=4,"
    ' convert_to_iter_based=True)\n'
)


@pytest.fixture(scope='module')
def train(tmp_path_factory):
    """Checkpoint after the first of two epochs of four steps."""

    @cache
    def run(schedule):
        folder = tmp_path_factory.mktemp('trained')
        forget_runs()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.syspath_prepend(ROOT / 'tools')
            config = write_config(folder, schedule)
            patch.setattr(sys, 'argv', ['train.py', config, '--work-dir', 'w'])
            runpy.run_path(str(ROOT / 'tools/train.py'), run_name='__main__')
        return folder / 'w/epoch_1.pth'

    return run


@pytest.fixture
def trained(train):
    return train(COSINE)


@pytest.fixture
def changed(trained, tmp_path):
    """Write the checkpoint with its weights, or something else, changed."""

    def write(change):
        checkpoint = torch.load(trained)
        change(checkpoint)
        torch.save(checkpoint, tmp_path / 'changed.pth')
        return tmp_path / 'changed.pth'

    return write


def renamed(prefix):
    def change(checkpoint):
        state = checkpoint['state_dict']
        checkpoint['state_dict'] = {prefix + k: v for k, v in state.items()}

    return change


def drop_bias(checkpoint):
    del checkpoint['state_dict']['linear.bias']


def widen(checkpoint):
    checkpoint['state_dict']['linear.weight'] = torch.zeros(1, 3)


def add(checkpoint):
    checkpoint['state_dict']['teacher.weight'] = torch.zeros(1)


def no_weights(checkpoint):
    checkpoint['state_dict'] = 'none'


OTHERS = {
    'prefix': (renamed('model.'), '2 weights missing (linear.weight, linear.bias); 2 '),
    'missing': (drop_bias, '1 weights missing (linear.bias); take the config that'),
    'shape': (
        widen,
        '1 of another shape (linear.weight is (1, 3), expected (1, 2)); take',
    ),
    'more': (add, '1 unexpected (teacher.weight); take the config that the weights'),
    'none': (no_weights, 'it has no named weights in state_dict'),
}


def refusal(tool, capsys, *args):
    """The one line with which a tool leaves."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        tool(*args)
    assert left.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f'{args[0]}: error: ')
    return said


@pytest.mark.parametrize('how', OTHERS)
@pytest.mark.parametrize('name', ['test.py', 'train.py'])
def test_another_model_is_neither_evaluated_nor_resumed(
    tool, config, changed, capsys, name, how
):
    change, message = OTHERS[how]
    path = changed(change)
    option = ['--resume'] if name == 'train.py' else []
    said = refusal(tool, capsys, name, config, *option, path, '--work-dir', 'w')
    assert f'{path} does not fit the ToyModel of the config: {message}' in said
    assert not list(Path('w').glob('*.pth'))


def test_names_of_data_parallel_fit(tool, config, changed):
    tool('test.py', config, changed(renamed('module.')), '--work-dir', 'w')


MISSING = 'missing keys in source state_dict: linear.bias'


def test_a_partial_checkpoint_is_evaluated_on_request(tool, config, changed, capsys):
    tool('test.py', config, changed(drop_bias), '--allow-partial', '--work-dir', 'w')
    assert MISSING in capsys.readouterr().out


def test_not_one_weight_is_refused_even_then(tool, config, changed, capsys):
    path = changed(renamed('model.'))
    said = refusal(tool, capsys, 'test.py', config, path, '--allow-partial')
    assert "set prefix='model.'" in said
    load = ['--cfg-options', f'load_from={path}', '--work-dir', 'w']
    assert 'does not fit' in refusal(tool, capsys, 'train.py', config, *load)


def test_training_may_begin_with_some_weights(tool, config, changed, capsys):
    load = ['--cfg-options', f'load_from={changed(drop_bias)}', '--work-dir', 'w']
    tool('train.py', config, *load)
    assert MISSING in capsys.readouterr().out


@pytest.mark.parametrize('key', ['optimizer', 'message_hub', 'iter'])
def test_published_weights_cannot_be_resumed(tool, config, changed, capsys, key):
    def drop(checkpoint):
        del (checkpoint['meta'] if key == 'iter' else checkpoint)[key]

    said = refusal(tool, capsys, 'train.py', config, '--resume', changed(drop))
    assert 'changed.pth' in said and 'resumed: ' in said


BATCH = ['--cfg-options', 'train_dataloader.batch_size=4']
PACES = 'it is of 1 process(es) of 4 steps an epoch, this run is of {} process(es) of '


def resume(tool, config, checkpoint, *options):
    """Resume with changed settings; returns the log."""
    tool('train.py', config, '--resume', checkpoint, '--work-dir', 'w', *options)
    (log,) = Path('w').glob('*/*.log')
    return log.read_text()


def test_the_pace_is_in_the_checkpoint(trained):
    assert torch.load(trained)['meta']['pace'] == dict(processes=1, steps=4)


def test_the_same_pace_is_not_mentioned(tool, trained, tmp_path):
    log = resume(tool, write_config(tmp_path, COSINE), trained)
    assert 'another pace' not in log


def test_another_batch_size_is_refused_if_a_schedule_counts_steps(
    tool, trained, tmp_path, capsys
):
    config = write_config(tmp_path, COSINE)
    said = refusal(tool, capsys, 'train.py', config, '--resume', trained, *BATCH)
    assert PACES.format(1) + '2 steps an epoch; CosineAnnealingLR counts' in said
    assert not list(Path('work_dirs').rglob('*.pth'))


def test_another_batch_size_is_a_warning_if_all_schedules_count_epochs(
    tool, train, tmp_path
):
    config = write_config(tmp_path, STEPWISE)
    first = train(STEPWISE)
    log = resume(tool, config, first, *BATCH)
    assert PACES.format(1) + '2 steps an epoch. Epochs go on' in log
    last = torch.load('w/epoch_2.pth')
    # one more epoch, of two steps
    assert last['meta']['epoch'] == 2 and last['meta']['iter'] == 4 + 2
    assert last['meta']['pace'] == dict(processes=1, steps=2)
    whole = torch.load(first.with_name('epoch_2.pth'))
    assert last['param_schedulers'] == whole['param_schedulers']


def test_other_processes_with_as_many_steps_are_a_warning(
    tool, trained, tmp_path, monkeypatch
):
    hook = 'ssvad.engine.checkpoint_check_hook.get_world_size'
    monkeypatch.setattr(hook, lambda: 2)
    log = resume(tool, write_config(tmp_path, COSINE), trained)
    assert PACES.format(2) + '4 steps an epoch. Epochs go on' in log


@pytest.mark.slow
def test_two_processes_go_on_from_one(run, trained, tmp_path):
    config = write_config(tmp_path, COSINE)
    options = ['--cfg-options', 'train_dataloader.batch_size=1', '--work-dir', 'w']
    said = run(ROOT / 'tools/dist_train.sh', config, 2, '--resume', trained, *options)
    assert PACES.format(2) + '4 steps an epoch.' in said
    first, second = (torch.load(tmp_path / f'w/weights_{rank}.pt') for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    last = torch.load(tmp_path / 'w/epoch_2.pth')
    assert last['meta']['pace'] == dict(processes=2, steps=4)
