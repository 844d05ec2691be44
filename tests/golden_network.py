"""Formula-defined inputs of the reference values in tests/data/network.

Everything is drawn in float64 from NumPy's legacy generator (a stable stream) and cast
to float32, exactly as when the reference values were made.
"""

import json
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent / 'data/network'
SEED = 1000

# parameter names of the released network -> ours
RENAMED = {
    'conv1.': 'backbone.',
    'primary_caps.pose.': 'head.primary.pose.',
    'primary_caps.a.': 'head.primary.activation.',
    'conv_caps.weights': 'head.routing.transform',
    'conv_caps.': 'head.routing.',
    'conv28.': 'head.lateral1.',
    'conv56.': 'head.lateral2.',
    'conv112.': 'head.lateral3.',
    'upsample': 'head.upsample',
    'smooth.': 'head.smooth.',
}


def load(name):
    return np.load(ROOT / f'{name}.npz')


def our_name(key):
    for theirs, ours in RENAMED.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    raise KeyError(key)


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


def network_state(seed):
    """Weights of the whole network under our names, as for MaskDetector."""
    shapes = json.loads((ROOT / 'reference_state_dict.json').read_text())
    state = {}
    for key, value in fill_state(shapes.items(), seed).items():
        value = value[0] if key == 'conv_caps.weights' else value
        state[our_name(key)] = torch.from_numpy(np.asarray(value))
    return state


def clips(seed, batch, frames=8, size=224):
    """(B, 3, T, H, W) in [0, 1]."""
    rng = np.random.RandomState(seed)
    coarse = rng.rand(batch, 3, frames, size // 16, size // 16)
    fine = rng.rand(batch, 3, frames, size, size)
    coarse = coarse.repeat(16, axis=3).repeat(16, axis=4)
    return (0.7 * coarse + 0.3 * fine).astype(np.float32)


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
