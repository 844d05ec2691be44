"""The benchmark runs on equal results; what it measures is not asserted."""

import argparse
import importlib

import numpy as np
import pytest

from tests.evaluation import golden


@pytest.fixture(scope='module')
def benchmark():
    return importlib.import_module('benchmark_evaluation')


PARTS = [
    'frame-AP',
    'video-AP',
    'linking',
    'capsule counts',
    'capsule counts, stored bits',
]
GROWTH = [
    'frame-AP, more videos',
    'linking, more videos',
    'frame-AP, more boxes a frame',
    'linking, more boxes a frame',
]


def test_small_run_prints_every_row(benchmark, capsys):
    benchmark.main(['--small', '--repeats', '1'])
    printed = capsys.readouterr().out.splitlines()
    rows = [line.split(' | ') for line in printed if line.startswith('| ')]
    names = [row[0][2:] for row in rows if not row[1].startswith('loop')]
    assert names == PARTS + GROWTH


def test_part_of_the_other_benchmark(benchmark):
    args = argparse.Namespace(test_frames=600, repeats=1)
    rows = list(benchmark.evaluation(args, None))
    kinds = [f'{part} ({unit})' for part in PARTS for unit in ('s', 'MB')]
    kinds += [f'{part} (exponent)' for part in GROWTH]
    assert [name for name, *_ in rows] == [f'evaluation, {kind}' for kind in kinds]
    assert all(np.isfinite(values).all() for _, *values in rows)
    assert all(min(loop, package) > 0 for name, loop, package in rows if 'MB' in name)


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


def test_different_results_are_not_timed(benchmark):
    calls = [lambda: np.zeros(3), lambda: np.full(3, 0.1), lambda: None]
    with pytest.raises(AssertionError, match='frame-AP'):
        benchmark.compare('frame-AP', calls, (1, 1), 1)


def test_times_are_multiplied_and_memory_is_not(benchmark, monkeypatch):
    ticks = iter([0.0, 2.0, 2.0, 3.0])
    monkeypatch.setattr(benchmark.time, 'process_time', lambda: next(ticks))
    sizes = 10**6, 2 * 10**6, 4 * 10**6
    calls = [lambda n=n: [np.zeros(n, np.int8).sum()] for n in sizes]
    row = benchmark.compare('x', calls, (16, 1), 1)
    assert row[:3] == ('x', 32, 1)
    assert row[3:] == pytest.approx((1, 2, 4), abs=0.1)


def test_growth_is_the_exponent(benchmark, monkeypatch):
    some = benchmark.make_set(2000)
    sets = [benchmark.crowded(some, times) for times in (1, 2, 4)]
    ticks = iter([0, 1, 1, 5, 5, 21])
    monkeypatch.setattr(benchmark.time, 'process_time', lambda: next(ticks))
    assert benchmark.exponent(len, sets, 1) == pytest.approx(2)
