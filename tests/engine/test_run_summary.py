import copy
import math
import shlex
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import LogProcessor

from ssvad.engine import RunSummaryHook
from ssvad.engine.run_summary import (
    TITLES,
    Run,
    Validation,
    best_of,
    commands,
    metric_tables,
    protocol_of,
    run_summary,
)
from ssvad.engine.run_summary_hook import shown_path

KEYS = [
    'stad/frame_mAP@0.50',
    'stad/capsule_f_mAP@0.50',
    'teacher/stad/video_mAP@0.20',
    'teacher/stad/capsule_acc',
    'stad/frame_err_missed',
    'vos/J&F',
]


def validation(epoch, value=1.0):
    return Validation(epoch, dict.fromkeys(KEYS, value))


def make_run(**changes):
    known = dict(
        name='run',
        epochs=3,
        seconds=3725.9,
        losses=dict(loss=0.5),
        validations=[validation(1), validation(2, 5.0), validation(3, 2.0)],
        checkpoints={'best': 'w d/best.pth', 'last': 'w d/epoch_3.pth'},
        config='w d/c.py',
        work_dir='w d',
        tools='tools',
        video='v/a b.avi',
    )
    return Run(**{**known, **changes})


@given(st.lists(st.one_of(st.just(math.nan), st.integers(-3, 3)), max_size=6))
def test_best_is_the_first_highest_number(values):
    history = [Validation(i, dict(x=float(v))) for i, v in enumerate(values)]
    best, known = best_of(history, 'x'), [v for v in values if v == v]
    if not known:
        assert best is None
    else:
        assert best.metrics['x'] == max(known)
        assert best.epoch == values.index(max(known))


def test_protocols_are_told_apart():
    found = [protocol_of(key) for key in KEYS]
    assert found == ['standard', 'capsule', 'standard', 'capsule', None, 'other']
    text = metric_tables(make_run().validations)
    parts = text.split('\n\n')
    assert [part.split('\n')[0] for part in parts[:3]] == list(TITLES.values())
    for part, protocol in zip(parts, TITLES):
        rows = {line.split()[0] for line in part.split('\n')[2:]}
        assert rows == {key for key in KEYS if protocol_of(key) == protocol}


def test_best_epoch_and_last_value_are_told():
    lines = metric_tables(make_run().validations).splitlines()
    (row,) = (line.split() for line in lines if KEYS[0] in line)
    assert row == [KEYS[0], '5.00', '2', '2.00']
    (row,) = (line.split() for line in lines if 'vos' in line)
    assert row == ['vos/J&F', '2.00']  # nobody knows whether more is better


def test_commands_name_the_best_checkpoint_and_survive_a_shell():
    found = {name: shlex.split(text) for name, text in commands(make_run()).items()}
    assert found['Evaluate'] == ['python', 'tools/test.py', 'w d/c.py', 'w d/best.pth']
    assert found['Find tubes in a video'][2] == 'v/a b.avi'
    assert found['Report'] == ['python', 'tools/report.py', 'w d']


@pytest.mark.parametrize(
    'changes, says',
    [
        (dict(validations=[]), 'No metrics: there was no validation'),
        (dict(checkpoints={}), 'There is no checkpoint'),
        (dict(checkpoints=dict(last='e.pth')), 'set save_best'),
        (dict(video=None), 'infer.py VIDEO --config'),
        (dict(), '3 epochs done, this process took 1:02:05'),
    ],
)
def test_what_is_missing_is_said(changes, says):
    text = run_summary(make_run(**changes))
    assert says in text
    assert ('save_best' in text) == (says == 'set save_best')
    assert ('test.py' in text) == ('checkpoints' not in changes or 'e.pth' in text)


def test_paths_below_this_folder_are_relative(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    assert shown_path(str(tmp_path / 'here/a/b')) == 'a/b'
    assert shown_path('a/b') == 'a/b'
    assert shown_path(str(tmp_path / 'here2/a')) == str(tmp_path / 'here2/a')
    assert shown_path('s3://bucket/a') == 's3://bucket/a'


def make_runner(folder, hub):
    dataset = SimpleNamespace(get_data_info=lambda i: dict(filename=f'v{i}.mp4'))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    return SimpleNamespace(
        message_hub=hub,
        epoch=0,
        work_dir=str(folder),
        logger=MMLogger.get_instance('summary'),
        cfg=Config(dict(), filename=None),
        timestamp='20',
        experiment_name='run',
        train_dataloader=range(2),
        train_loop=loop,
        val_loop=None,
    )


def validate(hook, runner, epoch, value):
    runner.epoch = epoch
    hook.after_val_epoch(runner, {'stad/frame_mAP@0.50': np.float32(value), 'x': [1]})


def test_resumed_run_knows_what_was_before(tmp_path):
    hub = MessageHub('first')
    hook, runner = RunSummaryHook(), make_runner(tmp_path, hub)
    validate(hook, runner, 7, 99.0)  # no training yet
    hook.before_train(runner)
    validate(hook, runner, 1, 30.0)
    for mode in ('train', 'val', 'test'):  # else it is in each line of the log
        assert not LogProcessor()._collect_non_scalars(runner, mode)
    saved = copy.deepcopy(hub.state_dict())

    hub = MessageHub('second')
    hub.load_state_dict(saved)
    hook, runner = RunSummaryHook(), make_runner(tmp_path, hub)
    hook.before_train(runner)
    validate(hook, runner, 2, 10.0)
    for value in (9.0, 4.0, 2.0):
        hub.update_scalar('train/loss', value)
    (tmp_path / 'epoch_2.pth').touch()
    hub.update_info('last_ckpt', str(tmp_path / 'epoch_2.pth'))
    hub.update_info('best_ckpt', str(tmp_path / 'gone.pth'))
    hook.after_train(runner)
    text = (tmp_path / 'summary.txt').read_text()
    (row,) = (line.split() for line in text.splitlines() if 'frame_mAP' in line)
    assert row[1:] == ['30.00', '1', '10.00']
    assert 'loss 3.0000' in text  # of the two iterations of the last epoch
    assert f'last checkpoint: {tmp_path}/epoch_2.pth' in text
    assert 'gone.pth' not in text and 'tools/infer.py v0.mp4' in text
