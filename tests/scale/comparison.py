"""Runs that should be one and the same training, and how far they are apart."""

import json
import os
import re
import subprocess
import sys

import torch

from tests.helpers import ROOT
from tests.scale.curves import train


def name_of(method, kind):
    """Part of a file name."""
    return re.sub(r'\W', '_', f'{method}-{kind}')


def divided(method, ranks, **settings):
    """Settings of runs in which a step is one batch, several, or one on each rank."""
    whole = 2 * max(ranks, 2)
    part = dict(settings, batch=whole // ranks, clips=whole)
    kinds = dict(
        one=dict(settings, batch=whole, clips=whole),
        accumulated=dict(part, accumulate=ranks),
        in_turn=dict(part, accumulate=ranks, in_turn=ranks),
        ranks=part,
    )
    return {
        kind: dict(kind_settings, method=method, run=name_of(method, kind))
        for kind, kind_settings in kinds.items()
    }


def run_alone(settings, folder):
    """One process, this one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(folder, **settings)
    torch.set_num_threads(threads)


def run_on_ranks(several, ranks, folder):
    """Several runs one after the other, on so many processes; results in a folder."""
    file = folder / f'{ranks}_ranks.json'
    file.write_text(json.dumps(several))
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    launch += [f'--nproc_per_node={ranks}', '-m', 'tests.scale.curves']
    done = subprocess.run(
        [*launch, str(file), str(folder)],
        cwd=ROOT,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def curve_of(folder, run, ranks=1, batches=1):
    """Means of each step over ranks, or over the batches that make a step.

    Returns:
        One dict a step, of the terms, and the weights at the end.
    """
    kept = [torch.load(folder / f'{run}_{rank}.pt') for rank in range(ranks)]
    curves = [one['curve'] for one in kept]
    steps = []
    for start in range(0, len(curves[0]), batches):
        rows = [row for curve in curves for row in curve[start : start + batches]]
        terms = [term for term in rows[0] if 'loss' in term]
        steps.append({t: sum(row[t] for row in rows) / len(rows) for t in terms})
    return steps, kept[0]['weights']


def distance(first, second):
    """Largest difference of terms (relative to terms above 1) and of weights."""
    (steps, weights), (others, other_weights) = first, second
    assert len(steps) == len(others) > 2
    assert [set(step) for step in steps] == [set(step) for step in others]
    terms = max(
        abs(step[term] - other[term]) / max(1, abs(step[term]))
        for step, other in zip(steps, others)
        for term in step
    )
    apart = max(
        (weights[key].double() - other_weights[key].double()).abs().max().item()
        for key in weights
        # queues are rounded to half precision, in no particular order
        if weights[key].numel() and 'queues' not in key
    )
    return terms, apart
