"""Formula-defined inputs of the reference values in tests/data/smt."""

from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent / 'data/smt'
K, PHASE = 0.37, 0.2  # constants of the set


def load(name):
    return np.load(ROOT / f'{name}.npz')


def tensor(values, dtype=torch.float64):
    return torch.from_numpy(np.asarray(values)).to(dtype)


def wave(shape, freq, phase, amp):
    """``amp sin(freq i + phase)`` in C order, float32 values."""
    index = np.arange(int(np.prod(shape)), dtype=np.float64)
    return (amp * np.sin(freq * index + phase)).astype(np.float32).reshape(shape)


@torch.no_grad()
def fill(module, freq, phase, amp):
    """Give the j-th parameter the wave of phase + j, scaled by its fan-in."""
    for j, parameter in enumerate(module.parameters()):
        shape = tuple(parameter.shape)
        scale = amp / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1 * amp
        values = torch.from_numpy(wave(shape, freq, phase + j, scale))
        parameter.copy_(values.to(parameter.dtype))
    return module
