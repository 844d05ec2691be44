"""Processor time of training steps with NonFiniteHook, as a ratio to those without.

python -m tests.engine.health_overhead [CONFIG]
"""

import statistics
import sys
import time
from types import SimpleNamespace

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

import ssvad  # noqa: F401  (first: mends and registers)
from ssvad.engine import NonFiniteHook
from tests.helpers import ROOT, make_batch

STEPS = 12


def seconds(model, batch, hook=None):
    """Median processor time of a step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    runner = SimpleNamespace(model=model, optim_wrapper=OptimWrapper(optimizer))
    if hook is not None:
        hook.before_train(runner)
    times = []
    for index in range(STEPS):
        start = time.process_time()
        if hook is not None:
            hook.before_train_iter(runner, index, batch)
        outputs = model.train_step(batch, runner.optim_wrapper)
        if hook is not None:
            hook.after_train_iter(runner, index, batch, outputs)
        times.append(time.process_time() - start)
    if hook is not None:
        hook.after_train(runner)
    return statistics.median(times[2:])


def main():
    config = sys.argv[1] if len(sys.argv) > 1 else ROOT / 'configs/toy_semi_var.py'
    cfg = Config.fromfile(config)
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    size = cfg.get('clip_size', 224)
    labels = [0, None] * (cfg.train_dataloader.batch_size // 2)
    inputs, samples = make_batch(labels, size)
    batch = dict(inputs=list((255 * inputs).byte()), data_samples=samples)
    # in turns, since the machine may be busy with something else
    pairs = [(seconds(model, batch), seconds(model, batch, NonFiniteHook()))]
    pairs += [(seconds(model, batch), seconds(model, batch, NonFiniteHook()))]
    for plain, checked in pairs:
        print(f'{plain:.3f} s a step, {checked:.3f} s checked: {checked / plain:.3f}')


if __name__ == '__main__':
    main()
