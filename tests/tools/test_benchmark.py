"""The benchmark runs; what it measures is not asserted."""

import contextlib
import importlib
import io
import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests import oracle_step
from tests.docs_pages import blocks, commands, words
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


@pytest.mark.slow
def test_the_commands_of_the_page(benchmark, capsys, monkeypatch):
    """All in this process, with a network of a sixteenth of the width.

    At most two clips of 8 x 24 x 24 to 8 x 40 x 40, three videos of 20 frames, and
    of the line for a GPU two parts, on a CPU.
    """
    parts = importlib.import_module('benchmark_parts')

    def narrow(path):
        cfg = Config.fromfile(path)
        sizes = dict(num_capsules=4, kernel_size=3, decoder_channels=4)
        cfg.model.detector.head.update(in_channels=(4, 12, 52), **sizes)
        cfg.model.detector.backbone.width = 0.0625
        return cfg

    def start(command, **_):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            benchmark.main(command[2:])
        return SimpleNamespace(stdout=printed.getvalue())

    def few(clips, frames, size, make=parts.make_batch):
        return make(min(clips, 2), min(frames, 8), size // 3)

    make = parts.benchmark_data.make_videos
    monkeypatch.setattr(parts, 'make_batch', few)
    monkeypatch.setattr(parts, 'Config', SimpleNamespace(fromfile=narrow))
    monkeypatch.setattr(parts, 'subprocess', SimpleNamespace(run=start))
    monkeypatch.setattr(
        parts.benchmark_data, 'make_videos', lambda f, _, rng: make(f, [20] * 3, rng)
    )
    small = '--size 72 --repeats 1 --threads 1 --test-frames 2000 --device cpu'
    rows = []
    for command in commands(blocks('docs/performance.md')[0]):
        start_of, script, *given = words(command)
        assert (start_of, script) == ('python', 'tools/benchmark.py')
        cpu = ['--parts', 'step', 'inference'] if 'cuda' in given else []
        benchmark.main([*given, *small.split(), *cpu])
        rows.append(capsys.readouterr().out.count('\n| ') - 1)
    whole, *_, evaluation = rows
    assert rows[:-1] == [whole, whole, 2, 4, 6] and whole > 20
    assert evaluation > 0
