"""The benchmark runs; what it measures is not asserted."""

import importlib
import logging

import numpy as np
import pytest
import torch

from tests import oracle_step
from tests.helpers import TINY_DETECTOR


@pytest.fixture
def benchmark():
    threads = torch.get_num_threads()
    yield importlib.import_module('benchmark')
    torch.set_num_threads(threads)
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    'part',
    ['step', 'inference', 'maps', 'loader', 'growth', 'memory', 'evaluation'],
)
def test_every_part_prints_its_rows(benchmark, monkeypatch, capsys, part):
    parts = importlib.import_module('benchmark_parts')

    def called(args, clock):
        calls = [lambda: torch.zeros(1), lambda: torch.ones(1)]
        return [(part, *clock.medians(calls, args.repeats))]

    assert callable(parts.PARTS[part])
    monkeypatch.setitem(parts.PARTS, part, called)
    benchmark.main(['--parts', part, '--repeats', '2', '--threads', '1'])
    assert f'| {part} |' in capsys.readouterr().out


def test_maps_are_those_of_both_implementations(benchmark, capsys):
    benchmark.main(
        ['--parts', 'maps', '--size', '16', '--repeats', '1', '--threads', '1']
    )
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split(' | ')[0] for row in rows] == [
        '| attention map, variance',
        '| attention map, gradient',
    ]


def test_evaluation_is_measured(benchmark, capsys):
    benchmark.main(['--parts', 'evaluation', '--test-frames', '2000', '--repeats', '1'])
    rows = capsys.readouterr().out.splitlines()[4:]
    exponents = [row for row in rows if '(exponent)' in row]
    assert exponents and all(row.endswith('|  |') for row in exponents)
    assert any(row.startswith('| evaluation, frame-AP') for row in rows)


@pytest.mark.slow
def test_both_implementations_train_and_detect(benchmark, capsys):
    small = ['--size', '72', '--repeats', '1', '--threads', '1', '--batch', '2']
    benchmark.main(['--parts', 'step', 'inference', 'memory', *small])
    rows = [row for row in capsys.readouterr().out.splitlines() if 'step,' in row]
    assert len(rows) == 4


def test_plain_variance_is_that_of_the_released_formulas():
    parts = importlib.import_module('benchmark_parts')
    rng = np.random.RandomState(0)
    first, backward = rng.randn(2, 8, 5, 6)
    expected = oracle_step.ring_variance(first[None], backward[None], 5, False)[0]
    ours = parts.window_by_window(first, backward)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.slow
def test_loading_is_compared(benchmark, capsys):
    benchmark.main(['--parts', 'loader', '--repeats', '1', '--threads', '1'])
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split(' | ')[0][-7:] for row in rows] == ['decoded', ' cached']


@pytest.mark.parametrize('attention', ['L2', 'variance', 'gradient', 'both'])
def test_plain_and_fast_step_are_the_same_loss(attention):
    """Else their times do not compare."""
    parts = importlib.import_module('benchmark_parts')
    config, options = parts.ATTENTIONS[attention]
    losses = []
    for implementation, released in (('plain', options), ('fast', None)):
        torch.manual_seed(0)
        head = dict(TINY_DETECTOR['head'], implementation=implementation)
        method = dict(type='SemiSupConsistency', attention=config)
        model = parts.MODELS.build(
            dict(
                type='SemiDetector',
                detector=dict(TINY_DETECTOR, head=head),
                method=method,
            )
        )
        inputs, samples = parts.make_batch(2, 8, 32)
        batch = inputs.double(), samples
        losses.append(parts.total_loss(model.double(), batch, released).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)


def test_processor_time_is_counted_on_demand(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark.time, 'process_time', iter([1.0, 3.5]).__next__)
    clock = benchmark.Clock('cpu', 'float32', cpu_time=True)
    assert clock.seconds(lambda: None) == 2.5


def test_processor_time_of_a_gpu_is_refused(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(['--cpu-time', '--device', 'cuda'])
    assert '--cpu-time counts no work of a GPU' in capsys.readouterr().err


@pytest.mark.parametrize('implementation', ['plain', 'fast'])
def test_the_whole_network_is_in_one_implementation(implementation, monkeypatch):
    parts = importlib.import_module('benchmark_parts')
    monkeypatch.setattr(parts.MODELS, 'build', lambda cfg: cfg)
    detector = parts.build(implementation).detector
    assert detector.head.implementation == implementation
    assert detector.backbone.implementation == implementation
