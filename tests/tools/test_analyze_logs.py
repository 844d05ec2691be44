"""tools/analyze_logs.py: logs as mmengine writes them, of interrupted runs too."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analyze_logs as tool
from tests.toy_run import write_config

EPOCH = 5  # steps


def row(step, start=0):
    epoch = (step - 1) // EPOCH + 1
    return dict(loss=step + start, time=step / 10, epoch=epoch, iter=step, step=step)


def start_log(first, last, start=0):
    """Rows of one start: steps first..last, an evaluation after each whole epoch."""
    rows = []
    for step in range(first, last + 1):
        rows.append(row(step, start))
        if step % EPOCH == 0:
            rows.append(dict(score=step + start, step=step // EPOCH))
    return rows


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(r) + '\n' for r in rows))
    return path


def test_evaluations_stand_where_their_epoch_ended():
    log = tool.split_rows(start_log(1, 12))
    assert [r['step'] for r in log.train] == list(range(1, 13))
    assert [(r['step'], r['score']) for r in log.val] == [(5, 5), (10, 10)]


def test_evaluations_of_runs_without_epochs_are_left_where_they_are():
    rows = [dict(loss=1, iter=7, step=7), dict(score=2, step=7)]
    assert tool.split_rows(rows).val == [dict(score=2, step=7)]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 12)), max_size=4))
def test_of_steps_taken_twice_the_later_count(pieces):
    """Each start goes on after a whole epoch of what there is, and some steps far."""
    starts, done = [], {}
    for number, (back, far) in enumerate([(0, 7), *pieces]):
        first = max(max(done, default=0) // EPOCH - back, 0) * EPOCH + 1
        last = first + far - 1
        starts.append(tool.split_rows(start_log(first, last, 100 * number)))
        done = {step: n for step, n in done.items() if step < first}
        done.update(dict.fromkeys(range(first, last + 1), number))
    whole = tool.merge(starts)
    assert [(r['step'], r['loss']) for r in whole.train] == [
        (step, step + 100 * number) for step, number in done.items()
    ]
    assert [(r['step'], r['score']) for r in whole.val] == [
        (step, step + 100 * number)
        for step, number in done.items()
        if step % EPOCH == 0
    ]


@pytest.mark.slow
def test_real_logs(tool_runner, tmp_path):
    """What two starts of one run really write."""
    tool_runner('train.py', 'w', 1)
    tool_runner('train.py', 'w', 3, '--resume')
    log = tool.read_log(tmp_path / 'w')
    assert [r['step'] for r in log.train] == list(range(1, 13))
    assert [r['epoch'] for r in log.train] == [1] * 4 + [2] * 4 + [3] * 4
    assert [r['step'] for r in log.val] == [4, 8, 12]
    assert all('toy/mean' in r for r in log.val)


@pytest.fixture
def tool_runner(tool, tmp_path):
    """Train the toy run for some epochs."""

    def run(name, work_dir, epochs, *args):
        folder = tmp_path / f'for_{epochs}'
        folder.mkdir()
        config = write_config(folder, f'train_cfg.update(max_epochs={epochs})\n')
        tool(name, config, '--work-dir', work_dir, *args)
        # starts of one second would share a folder
        for path in list(Path(work_dir).glob('2*')):
            path.rename(path.with_name(f'1_{epochs}_{path.name}'))

    return run


@pytest.fixture
def logs(tmp_path):
    """A run of two starts, and a shorter one without evaluations."""
    for name, rows in (('1', start_log(1, 8)), ('2', start_log(6, 15, 100))):
        write(tmp_path / f'long/{name}/vis_data/scalars.json', rows)
    return tmp_path / 'long', write(tmp_path / 'short.json', map(row, range(1, 4)))


def plot(monkeypatch, *arguments):
    """Draw; returns what stands in each panel: label -> points."""
    figures = []
    draw = tool.plot_curves

    def listen(*args):
        figures.append(draw(*args))
        return figures[-1]

    monkeypatch.setattr(tool, 'plot_curves', listen)
    tool.main(['plot_curve', *map(str, arguments)])
    return [
        {line.get_label(): line.get_xydata().tolist() for line in axis.get_lines()}
        for axis in figures[0].axes
    ]


def test_curves(logs, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'new/curves.png'
    keys = ['--keys', 'lo*', 'score']
    panels = plot(monkeypatch, *logs, *keys, '--out', out, '--legend', 'a', 'b')
    expected = [[s, s + 100 * (s > 5)] for s in range(1, 16)]
    assert panels == [
        {'a loss': expected, 'b loss': [[1, 1], [2, 2], [3, 3]]},
        {'a score': [[5, 5], [10, 110], [15, 115]]},
    ]
    assert cv2.imread(str(out)).std() > 5
    assert f'save curve to: {out}' in capsys.readouterr().out


def test_names_without_legend(logs, tmp_path, monkeypatch):
    (panel,) = plot(monkeypatch, *logs, '--out', tmp_path / 'a.png')
    assert set(panel) == {'long', str(logs[1])}


def test_times(logs, capsys):
    tool.main(['cal_train_time', str(logs[0])])
    printed = capsys.readouterr().out
    # 0.2..0.5, 0.7..1.0, 1.2..1.5: without the first of each epoch
    assert 'slowest epoch 3, average time is 1.3500' in printed
    assert 'fastest epoch 1, average time is 0.3500' in printed
    assert f'std over epochs is {np.std([0.35, 0.85, 1.35]):.4f}' in printed
    assert 'average iter time: 0.8500 s/iter' in printed
    tool.main(['cal_train_time', str(logs[0]), '--include-outliers'])
    assert 'average iter time: 0.8000 s/iter' in capsys.readouterr().out


def test_the_only_time_of_an_epoch_counts():
    log = tool.Log([row(1), row(2), row(6)], [])
    times = tool.train_times(log, False)
    assert {k: v.tolist() for k, v in times.items()} == {1: [0.2], 2: [0.6]}


def test_a_torn_last_line_is_left_out(tmp_path):
    path = write(tmp_path / 'a.json', [row(1), row(2)])
    path.write_text(path.read_text()[:-20])
    assert [r['step'] for r in tool.read_log(path).train] == [1]


@pytest.mark.parametrize('content, message', [
    ('', 'nothing has been logged'),
    ('{"a": 1}\n{"step": 2, "iter": 2}\n', "line 1: expected a JSON object with step"),
    ('[1]\n{"step": 2}\n', 'line 1: expected a JSON object'),
    ('{"step": 2, "iter": 2}\n', "no log has 'loss'; there are step, iter"),
    (None, 'is it the work folder of a training?'),
])  # fmt: skip
def test_errors_are_one_line(content, message, tmp_path, capsys):
    path = tmp_path / 'log'
    path.mkdir() if content is None else path.write_text(content)
    with pytest.raises(SystemExit) as left:
        tool.main(['plot_curve', str(path)])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_the_number_of_names_is_checked(logs, capsys):
    with pytest.raises(SystemExit):
        tool.main(['plot_curve', *map(str, logs), '--legend', 'a', 'b', 'c'])
    assert 'expected 2 or 2 names, got 3' in capsys.readouterr().err
