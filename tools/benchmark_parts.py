"""What benchmark.py measures: networks, batches and one function for each part.

A part takes the command line and a clock and returns rows (name, plain, fast).
"""

from __future__ import annotations

import functools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope

import benchmark_data
import benchmark_evaluation
from ssvad.geometry import ViewGeometry
from ssvad.models.folding import fold_batch_norm

ROOT = Path(__file__).resolve().parents[1]
BENCHMARK = Path(__file__).with_name('benchmark.py')
sys.path.insert(0, str(ROOT))

from tests import oracle_step as released  # noqa: E402

ATTENTIONS = {
    'L2': (None, {}),
    'variance': (dict(type='CyclicVariance', both_directions=True), dict(bv=True)),
    'gradient': (
        dict(type='GradientSmoothness', signed=True, batch_mean=True),
        dict(gv=True),
    ),
}
ATTENTIONS['both'] = (
    [ATTENTIONS['variance'][0], ATTENTIONS['gradient'][0]],
    dict(bv=True, gv=True),
)


def build(
    implementation: str, attention=None, num_classes: int = 24
) -> torch.nn.Module:
    """The full-size network with a method, in one implementation."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/ucf24_semi_var.py').model
    cfg.detector.head.update(implementation=implementation, num_classes=num_classes)
    cfg.detector.backbone.update(implementation=implementation)
    cfg.detector.backbone.pop('init_cfg')
    cfg.method.attention = attention
    torch.manual_seed(0)
    return MODELS.build(cfg)


def make_batch(clips: int, frames: int, size: int) -> tuple[torch.Tensor, list]:
    """Labelled and unlabelled clips 1:1, each with its mirror image."""
    generator = torch.manual_seed(0)
    shape = (clips, 3, frames, size, size)
    base = torch.rand(shape, generator=generator)
    samples = []
    for index in range(clips):
        sample = ActionDataSample()
        if index % 2 == 0:
            sample.set_gt_label(index % 3)
            mask = torch.zeros(frames, size, size, dtype=torch.uint8)
            mask[:, size // 4 : size // 2, size // 4 : size // 2] = 1
            sample.set_field(mask, 'gt_mask')
        views = dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
        sample.set_metainfo(dict(views=views))
        samples.append(sample)
    return torch.stack([base, base.flip(-1)], 1), samples


def total_loss(model, batch, options=None) -> torch.Tensor:
    """Loss of a step; with ``options`` the consistency is the released NumPy one."""
    inputs, samples = batch
    if options is None:
        return sum(model(inputs, samples, mode='loss').values())
    step = model._step(inputs, samples)
    losses = sum(step.supervised_losses('base').values())
    masks = (step.student(view).mask[:, None] for view in ('base', 'flip'))
    # NumPy has no bfloat16
    first, second = (m.to(torch.promote_types(m.dtype, torch.float32)) for m in masks)
    return losses + 0.1 * released.consistency(
        first, second, released.Options(**options), ramp=1.0
    )


def train_step(model, batch, options=None) -> Callable:
    """A forward and backward pass, ready to be called."""

    def call() -> None:
        total_loss(model, batch, options).backward()
        model.zero_grad()

    return call


def to_device(batch, device: str) -> tuple[torch.Tensor, list]:
    """Move a batch."""
    inputs, samples = batch
    return inputs.to(device), [sample.to(device) for sample in samples]


def train_steps(args, clock) -> list[tuple]:
    """Train step for each attention."""
    batch = to_device(make_batch(args.batch, args.frames, args.size), args.device)
    rows = []
    for name, (attention, options) in ATTENTIONS.items():
        plain = build('plain', attention).to(args.device)
        fast = build('fast', attention).to(args.device)
        # the released NumPy maps exist on the CPU only
        released_options = options if args.device == 'cpu' else None
        calls = [train_step(plain, batch, released_options), train_step(fast, batch)]
        rows.append((f'train step, {name}', *clock.medians(calls, args.repeats)))
    return rows


def inference(args, clock) -> list[tuple]:
    """One clip through the detector."""
    plain = build('plain').detector.eval().to(args.device)
    fast = fold_batch_norm(build('fast').detector.eval()).to(args.device)
    rows = []
    for name, count in (('one clip', 1), ('four clips at a time', 4)):
        clips = make_batch(count, args.frames, args.size)[0][:, 0].to(args.device)
        calls = [
            torch.inference_mode()(functools.partial(model, clips))
            for model in (plain, fast)
        ]
        rows.append((f'inference, {name}', *clock.medians(calls, args.repeats)))
    return rows


def window_by_window(first: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """One direction of the variance map of a clip, as it was released.

    Every window of five frames is copied from the ring and the results are kept in
    float64; the same values as ``tests.oracle_step.ring_variance``.

    Args:
        first: (T, H, W) float32.
        backward: The other view in reversed time.
    """
    frames = len(first)
    ring = np.concatenate([first, backward[1:-1]])
    variance = np.zeros(ring.shape)
    for k in range(len(ring)):
        window = np.take(ring, [(k + o) % len(ring) for o in range(-2, 3)], axis=0)
        variance[k] = np.var(window, axis=0)
    for t in range(frames):
        variance[t] = variance[t] + variance[t if t in (0, frames - 1) else -t]
    maps = variance[:frames]
    maps -= maps.min()
    maps /= maps.max() - maps.min() + 1e-7
    return maps


def maps(args, clock) -> list[tuple]:
    """Attention maps of a batch of logits."""
    torch.manual_seed(0)
    first, second = torch.randn(2, args.batch, args.frames, args.size, args.size).to(
        args.device
    )
    arrays = first.cpu().numpy(), second.cpu().numpy()

    def variance():
        for a, b in zip(*arrays):
            window_by_window(a, b[::-1])
            window_by_window(a[::-1], b)

    def gradient():
        for a in arrays[0]:
            released.gradient_map(a[None], (None, None)).astype(float)

    plain = {'variance': variance, 'gradient': gradient}
    rows = []
    for name, call in plain.items():
        attention = MODELS.build(ATTENTIONS[name][0])
        calls = [call, lambda a=attention: a(first, second)]
        rows.append((f'attention map, {name}', *clock.medians(calls, args.repeats)))
    return rows


def process_peak() -> float:
    """Highest memory of this process in bytes."""
    status = Path('/proc/self/status')
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # unlike ru_maxrss it does not begin at what the parent process had
    (line,) = [x for x in status.read_text().splitlines() if x.startswith('VmHWM')]
    return int(line.split()[1]) * 1024


def peak_memory(args, clock, implementation: str) -> float:
    """Highest memory of one train step, in GB; of a fresh process on a CPU."""
    attention, options = ATTENTIONS['both']
    model = build(implementation, attention).to(args.device)
    batch = to_device(make_batch(args.batch, args.frames, args.size), args.device)
    if args.device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    plain = implementation == 'plain' and args.device == 'cpu'
    with clock.autocast():
        train_step(model, batch, options if plain else None)()
    if args.device == 'cuda':
        return torch.cuda.max_memory_allocated() / 1e9
    return process_peak() / 1e9


def memory(args, clock) -> list[tuple]:
    """Peak memory of a train step with both attentions."""
    peaks = []
    for implementation in ('plain', 'fast'):
        command = [sys.executable, str(BENCHMARK), '--peak-memory-of', implementation]
        for name in ('batch', 'frames', 'size', 'device', 'precision', 'threads'):
            command += [f'--{name}', str(getattr(args, name))]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(float(output.stdout.split()[-1]))
    return [('peak memory of a train step (GB)', *peaks)]


def growth(args, clock) -> list[tuple]:
    """Slope of log time over log size, for one factor at a time, at half the size."""
    base = dict(clips=2, frames=8, size=max(72, args.size // 16 * 8))
    grids = {
        'batch': [dict(base, clips=n) for n in (2, 4, 8)],
        'frames': [dict(base, frames=n) for n in (8, 16, 32)],
        'pixels': [dict(base, size=base['size'] + 8 * n) for n in (0, 3, 6)],
    }
    values = {
        'batch': [grid['clips'] for grid in grids['batch']],
        'frames': [grid['frames'] for grid in grids['frames']],
        'pixels': [grid['size'] ** 2 for grid in grids['pixels']],
        'classes': (12, 24, 48),
    }
    attention = ATTENTIONS['both'][0]
    rows = []
    for name, sizes in values.items():
        slopes = []
        for implementation in ('plain', 'fast'):
            models = [build(implementation, attention).to(args.device)] * 3
            shapes = grids.get(name, [base] * 3)
            if name == 'classes':
                models = [build(implementation, attention, n) for n in sizes]
                models = [model.to(args.device) for model in models]
            calls = [
                train_step(model, to_device(make_batch(**shape), args.device))
                for model, shape in zip(models, shapes)
            ]
            times = clock.medians(calls, args.repeats)
            slopes.append(np.polyfit(np.log(sizes), np.log(times), 1)[0])
        rows.append((f'growth with {name} (exponent)', *slopes))
    return rows


def loader(args, clock) -> list[tuple]:
    """One training sample, from videos made for the purpose, and from a cache."""
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        source = benchmark_data.make_videos(folder, [180] * 3, rng)
        datasets = benchmark_data.build_datasets(*source, f'{folder}/cache')
        variants = benchmark_data.loading_variants(datasets)
        seconds = benchmark_data.measure(variants, 3, 5 * args.repeats)
    return [
        (f'loading a sample, {name}', seconds['plain'], seconds[name])
        for name in ('decoded', 'cached')
    ]


PARTS = dict(
    maps=maps,
    inference=inference,
    loader=loader,
    step=train_steps,
    memory=memory,
    growth=growth,
    evaluation=benchmark_evaluation.evaluation,
)
