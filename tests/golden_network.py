"""Formula-defined inputs of the reference values in tests/data/network.

Everything is drawn in float64 from NumPy's legacy generator (a stable stream) and cast
to float32, exactly as when the reference values were made.
"""

import json
from pathlib import Path

import numpy as np
import torch

from ssvad.models.reference_weights import our_name

ROOT = Path(__file__).resolve().parent / 'data/network'
SEED = 1000


def load(name):
    return np.load(ROOT / f'{name}.npz')


def fill_state(named_shapes, seed):
    """Reference weights by name, {key: array}."""
    rng = np.random.RandomState(seed)
    state = {}
    for key, shape in named_shapes:
        if key.endswith('num_batches_tracked'):
            state[key] = np.zeros(tuple(shape), np.int64)
            continue
        z = rng.standard_normal(tuple(shape))
        fan_in = np.prod(shape[1:])
        if key.endswith('running_mean'):
            z = 0.1 * z
        elif key.endswith('running_var'):
            z = 1.0 + 0.1 * np.abs(z)
        elif key.endswith('bn.weight'):
            z = 1.0 + 0.1 * z
        elif key.endswith('bn.bias'):
            z = 0.1 * z
        elif key.endswith(('beta_u', 'beta_a')):
            pass
        elif key.endswith('weights'):
            z = 0.5 * z
        elif key.endswith('bias'):
            z = 0.05 * z
        elif 'upsample1' in key or 'smooth' in key:
            z = 0.02 * z
        elif 'upsample' in key:
            z = 0.06 * z
        elif 'pose.weight' in key:
            z = z / np.sqrt(fan_in)
        elif key.endswith('a.weight'):
            z = 2.0 * z / np.sqrt(fan_in)
        else:
            z = z * np.sqrt(2.0 / fan_in)
        state[key] = z.astype(np.float32)
    return state


def reference_state(seed, like=None):
    """Weights of the whole network under the released names, in float64.

    ``like``: our state dict of a detector of another size, whose shapes are taken.
    """
    shapes = json.loads((ROOT / 'reference_state_dict.json').read_text())
    if like is not None:
        shapes = {key: tuple(like[our_name(key)].shape) for key in shapes}
        shapes['conv_caps.weights'] = (1, *shapes['conv_caps.weights'])
    state = {}
    for key, value in fill_state(shapes.items(), seed).items():
        value = torch.from_numpy(np.asarray(value))
        state[key] = value.double() if value.is_floating_point() else value
    return state


def network_state(seed, like=None):
    """Weights of the whole network under our names, as for MaskDetector."""
    state = reference_state(seed, like)
    state['conv_caps.weights'] = state['conv_caps.weights'][0]
    return {our_name(key): value for key, value in state.items()}


def clips(seed, batch, frames=8, size=224):
    """(B, 3, T, H, W) in [0, 1]."""
    rng = np.random.RandomState(seed)
    coarse = rng.rand(batch, 3, frames, size // 16, size // 16)
    fine = rng.rand(batch, 3, frames, size, size)
    coarse = coarse.repeat(16, axis=3).repeat(16, axis=4)
    return (0.7 * coarse + 0.3 * fine).astype(np.float32)


def masks(seed, batch, frames=8, size=224):
    """(B, T, H, W) of 0 and 1: one moving box a clip."""
    rng = np.random.RandomState(seed)
    mask = np.zeros((batch, frames, size, size), np.float32)
    for b in range(batch):
        x, y = rng.randint(0, size // 2, 2)
        w, h = rng.randint(size // 8, size // 2, 2)
        dx, dy = rng.randint(-3, 4, 2)
        for t in range(frames):
            x0, y0 = max(0, x + dx * t), max(0, y + dy * t)
            mask[b, t, y0 : y0 + h, x0 : x0 + w] = 1
    return mask


def logits(seed, batch, frames=8, size=224, scale=3.0):
    """(B, T, H, W), correlated in time."""
    rng = np.random.RandomState(seed)
    base = rng.standard_normal((batch, 1, 1, size, size))
    step = rng.standard_normal((batch, 1, frames, size, size)).cumsum(2)
    return (scale * (base + 0.3 * step)).astype(np.float32)[:, 0]


def capsules(seed, count, height, width, types=32, scale=1.0):
    """Poses (n, I*16, h, w) and activations (n, I, h, w) in (0.02, 0.98)."""
    rng = np.random.RandomState(seed)
    poses = scale * rng.standard_normal((count, height, width, types * 16))
    activation = 0.02 + 0.96 * rng.rand(count, height, width, types)
    return tuple(
        torch.from_numpy(x.astype(np.float32)).double().movedim(-1, 1)
        for x in (poses, activation)
    )


def stub_weights(seed):
    """w (3,), b, v0 (24,), v1 (24,) of a stand-in for the network.

    mask logits = sum_c w[c] * clip[c] - b
    class scores = sigmoid(0.5 * (mean(clip[0]) * v0 + v1))
    """
    rng = np.random.RandomState(seed)
    w = 4.0 * rng.standard_normal(3)
    v0, v1 = rng.standard_normal(24), rng.standard_normal(24)
    return tuple(map(torch.from_numpy, (w, np.array(0.5 * w.sum()), v0, v1)))


def stats(values):
    """Mean, standard deviation, sum of magnitudes, minimum and maximum."""
    values = np.asarray(values, np.float64)
    return np.array(
        [values.mean(), values.std(), abs(values).sum(), values.min(), values.max()]
    )
