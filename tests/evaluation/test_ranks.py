"""One process, several, or any order of videos and clips: the same numbers."""

import datetime
import json
import math
import pickle
from itertools import zip_longest

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed
from torch.multiprocessing import spawn

from ssvad.evaluation.conventions import PRESETS
from tests.evaluation.samples import (
    evaluate,
    make_metric,
    noisy_videos,
    split_into_clips,
    tied_videos,
)


def in_clips(num):
    return [clip for video in noisy_videos(num) for clip in split_into_clips(video)]


def share_of(rank, num_ranks, samples):
    """What the default sampler gives a rank: as many as the others, by repetition."""
    total = math.ceil(len(samples) / num_ranks) * num_ranks
    return (samples * 2)[:total][rank::num_ranks]


def evaluate_on_ranks(samples, num_ranks, monkeypatch, truncate, **kwargs):
    """BaseMetric.evaluate with what the ranks would send each other."""
    parts = []
    for rank in range(num_ranks):
        metric = make_metric(**kwargs)
        metric.process(None, share_of(rank, num_ranks, samples))
        parts.append(pickle.loads(pickle.dumps(metric.results, protocol=2)))
    merged = [r for row in zip_longest(*parts) for r in row if r is not None]
    size = len(samples)
    monkeypatch.setattr(
        'mmengine.evaluator.metric.collect_results',
        lambda results, size, device, **kwargs: merged[:size] if truncate else merged,
    )
    return make_metric(**kwargs).evaluate(size)


@pytest.mark.parametrize('num_ranks', [1, 2, 3])
@pytest.mark.parametrize('truncate', [True, False])
@pytest.mark.parametrize('make_samples', [tied_videos, in_clips])
def test_number_of_ranks_does_not_matter(
    make_samples, num_ranks, truncate, monkeypatch
):
    samples = make_samples(7)
    expected = evaluate(samples)
    ranks = evaluate_on_ranks(samples, num_ranks, monkeypatch, truncate)
    assert ranks == expected


@pytest.mark.parametrize('convention', sorted(PRESETS))
@pytest.mark.parametrize('make_samples', [tied_videos, in_clips])
def test_ranks_and_order_by_every_convention(make_samples, convention, monkeypatch):
    samples, how = make_samples(7), dict(convention=convention, class_score='clip')
    expected = evaluate(samples, **how)
    assert expected == evaluate(samples[::-1], **how)
    for num_ranks in (2, 3):
        ranks = evaluate_on_ranks(samples, num_ranks, monkeypatch, False, **how)
        assert ranks == expected


@pytest.mark.parametrize('make_samples', [noisy_videos, tied_videos])
@settings(max_examples=10)
@given(order=st.permutations(range(8)))
def test_order_of_videos_does_not_matter(make_samples, order):
    samples = make_samples(8)
    assert evaluate([samples[i] for i in order]) == evaluate(samples)


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_clips_in_any_order_equal_whole_videos(random):
    samples = in_clips(6)
    random.shuffle(samples)
    assert evaluate(samples) == pytest.approx(evaluate(noisy_videos(6)), abs=1e-9)


def evaluate_as_rank(rank, num_ranks, make_samples, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=num_ranks,
        timeout=datetime.timedelta(seconds=60),
    )
    samples = make_samples(7)
    metric = make_metric()
    for sample in share_of(rank, num_ranks, samples):
        metric.process(None, [sample])
    metrics = metric.evaluate(len(samples))
    (folder / f'rank_{rank}.json').write_text(json.dumps(metrics))
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('num_ranks', 'make_samples'), [(2, in_clips), (3, tied_videos)]
)
def test_real_processes_agree(num_ranks, make_samples, tmp_path):
    arguments = num_ranks, make_samples, tmp_path
    running = spawn(evaluate_as_rank, arguments, nprocs=num_ranks, join=False)
    try:
        assert any(running.join(timeout=30) for _ in range(6)), 'the processes hang'
    finally:
        for process in running.processes:
            process.kill()
    expected = evaluate(make_samples(7))
    for rank in range(num_ranks):
        assert json.loads((tmp_path / f'rank_{rank}.json').read_text()) == expected
