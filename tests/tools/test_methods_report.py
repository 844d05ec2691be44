"""Tables, plots and files of the benchmark of methods, from made-up results."""

import csv
import importlib
import json

import cv2
import pytest

bench = importlib.import_module('benchmark_methods')
plan = importlib.import_module('methods_plan')
report = importlib.import_module('methods_report')
results = importlib.import_module('methods_results')
Setting = results.Setting


def write_run(out, method, fraction, times, seed, value, teacher=None):
    folder = out / f'runs/{method}/{fraction}_{times}_{seed}'
    folder.mkdir(parents=True)
    notes = dict(method=method, label=plan.METHODS[method].label, seed=seed)
    notes.update(fraction=fraction, times=times, command='')
    (folder / 'run.json').write_text(json.dumps(notes))
    metrics = {f'stad/{key}': value for key in results.METRICS.values()}
    if teacher is not None:
        metrics.update(
            {f'teacher/stad/{key}': teacher for key in results.METRICS.values()}
        )
    (folder / 'metrics.json').write_text(json.dumps({**metrics, 'time': 1.0}))


@pytest.fixture
def finished(tmp_path):
    """Made-up results of five methods; var gains 4 and 8 points."""
    for seed, value in ((1, 20.0), (2, 30.0), (10, 31.0)):
        write_run(tmp_path, 'sup', 0.1, None, seed, value)
    for seed, value in ((1, 24.0), (2, 38.0)):
        write_run(tmp_path, 'var', 0.1, None, seed, value)
        write_run(tmp_path, 'mt', 0.1, None, seed, value - 1, teacher=value + 1)
        write_run(tmp_path, 'var', 0.2, None, seed, value + 10)
        write_run(tmp_path, 'sup_all', 1.0, None, seed, 80.0)
        for times in (1, 2, 4):
            write_run(tmp_path, 'var', 0.1, times, seed, value - 6 / times)
    write_run(tmp_path, 'smt', 0.1, None, 3, 50.0)
    return tmp_path


def test_table_has_means_spreads_and_gains_within_a_seed(finished):
    found = results.read_results(finished, [*plan.METHODS])
    assert all({*r.metrics} == {*results.METRICS.values()} for r in found)
    costs = dict(var=dict(seconds=0.126, learning=16, only_seen=0))
    rows = report.table_rows(found, Setting(0.1), costs)
    table = {row['method']: row for row in rows}
    assert [*table] == [
        'supervised',
        'consistency, variance',
        'Mean Teacher',
        'Mean Teacher, its teacher',
        'Stable Mean Teacher',
        'supervised, all labels',
    ]
    key = 'video-mAP@.5'
    assert table['supervised'][key] == '27.0 ± 6.1'
    assert table['supervised']['seeds'] == '1 2 10'
    var = table['consistency, variance']
    assert (var[key], var['gain']) == ('31.0 ± 9.9', '+6.0 ± 2.8')
    assert (var['s/step'], var['clips/step']) == ('0.13', '16 + 0')
    assert table['Mean Teacher']['gain'] == '+5.0 ± 2.8'
    assert table['Mean Teacher, its teacher']['gain'] == '+7.0 ± 2.8'
    # no seed in common with the baseline, and a single one
    smt = table['Stable Mean Teacher']
    assert (smt[key], smt['gain'], smt['s/step']) == ('50.0', '', '')
    assert table['supervised']['gain'] == table['supervised, all labels']['gain'] == ''


def test_curves_take_the_runs_they_are_about(finished):
    found = results.by_method(results.read_results(finished, [*plan.METHODS]))
    means = {
        over: [
            (x, mean)
            for x, (mean, _) in results.curve(found['var'], over, results.MAIN)
        ]
        for over in ('fraction', 'times')
    }
    assert means['fraction'] == [(10, 31.0), (20, 41.0)]
    assert means['times'] == [(1, 25.0), (2, 28.0), (4, 29.5)]
    assert results.curve(found['sup'], 'times', results.MAIN) == []


def test_report_files(finished):
    bench.report(finished, 'the command')
    text = (finished / 'methods.md').read_text('utf-8')
    assert '`the command`' in text
    tables = text.split('\n## ')[1:]
    heads = [table.split('\n')[0] for table in tables]
    unlabeled = [f'10 % labels, {n}x unlabelled' for n in (1, 2, 4)]
    assert heads == ['10 % labels', *unlabeled, '20 % labels']
    for table in tables[:4]:  # the supervised runs of the fraction beside each
        assert table.count('\n| supervised |') == 1
    for line in text.splitlines():
        assert not line.startswith('|') or line.count('|') == 11, line
    rows = json.loads((finished / 'results.json').read_text())['results']
    with open(finished / 'results.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert len(rows) == len(table) == 20
    assert {row['method'] for row in table} == {r['method'] for r in rows}
    pictures = {path.name for path in finished.glob('*.png')}
    assert pictures == {
        *('methods_10.png', 'methods_20.png'),
        *('fractions.png', 'unlabeled.png'),
    }
    assert all(cv2.imread(str(finished / name)).std() > 5 for name in pictures)
