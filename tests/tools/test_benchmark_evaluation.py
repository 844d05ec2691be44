"""The benchmark runs on equal results; what it measures is not asserted."""

import importlib

import numpy as np
import pytest

from tests.evaluation import golden


@pytest.fixture(scope='module')
def benchmark():
    return importlib.import_module('benchmark_evaluation')


def test_small_run_prints_every_row(benchmark, capsys):
    benchmark.main(['--small', '--repeats', '1'])
    printed = capsys.readouterr().out.splitlines()
    rows = [line.split(' | ') for line in printed if line.startswith('| ')]
    assert [row[0][2:] for row in rows if row[0] not in ('| what', '| growth')] == [
        'frame-AP',
        'video-AP',
        'linking',
        'capsule counts',
        'capsule counts, stored bits',
        'frame-AP, videos',
        'linking, videos',
        'frame-AP, boxes a frame',
    ]


def test_set_has_the_size_asked_for(benchmark):
    data = benchmark.make_set(25_000)
    assert 0 <= sum(data.num_frames) - 25_000 < data.num_frames[-1]
    num = len(golden.expected('videos')['videos'])
    assert len(data.num_frames) > num
    last = len(data.num_frames) - 1
    assert data.boxes.video.max() <= last
    again = data.boxes.take(np.flatnonzero(data.boxes.video == num))
    first = data.boxes.take(np.flatnonzero(data.boxes.video == 0))
    np.testing.assert_array_equal(again.boxes, first.boxes)
    assert not np.isin(again.scores, first.scores).any()


def test_loops_reach_the_reference_values(benchmark):
    data = benchmark.make_set(10_000).first(60)
    expected = golden.act('videoAP ready-made tubes (tube NMS 0.3)')
    for thr, row in zip(golden.VIDEO_THRS, 100 * benchmark.loop_video_ap(data)):
        np.testing.assert_allclose(row, expected[f'{thr:.2f}']['per_class'], atol=1e-4)


def test_different_results_are_not_timed(benchmark, capsys):
    calls = [lambda: np.zeros(3), lambda: np.full(3, 0.1), lambda: None]
    with pytest.raises(AssertionError, match='frame-AP'):
        benchmark.print_row('frame-AP', calls, (1, 1), 1)
    assert capsys.readouterr().out == ''


def test_times_are_multiplied(benchmark, capsys, monkeypatch):
    ticks = iter([0.0, 2.0, 2.0, 3.0])
    monkeypatch.setattr(benchmark.time, 'process_time', lambda: next(ticks))
    benchmark.print_row('x', [lambda: [1.0]] * 3, (16, 1), 1)
    assert capsys.readouterr().out.startswith('| x | 32 | 1 | 32.0 | ')


def test_growth_is_the_exponent(benchmark, capsys, monkeypatch):
    some = benchmark.make_set(2000)
    sets = [benchmark.crowded(some, times) for times in (1, 2, 4)]
    ticks = iter([0, 1, 1, 5, 5, 21])
    monkeypatch.setattr(benchmark.time, 'process_time', lambda: next(ticks))
    benchmark.print_growth('x', len, sets, 1)
    assert capsys.readouterr().out.startswith('| x | 2.00 | 1 (')
