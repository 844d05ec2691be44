"""Published weights under the names of this package.

Two kinds of files are known:

* ``'i3d'``: pytorch-i3d's classification network (``rgb_charades.pt``,
  ``rgb_imagenet.pt``). Its names are those of :class:`I3D`; the classifier and the
  blocks behind the last one that the detector uses are left out.
* ``'detector'``: a checkpoint of the released capsule detector, which becomes a
  :class:`MaskDetector`.

What is expected comes from building the modules (without memory), so that a change of
the network cannot leave this file behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ssvad.files import check_sums

from .backbones import I3D
from .detectors import MaskDetector

TAPS = ('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f')
# names of the released detector -> ours; the first that fits counts
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
BEHIND_TAPS = ('Mixed_5b.', 'Mixed_5c.', 'logits.')


class Report(NamedTuple):
    """What became of a file's weights, as lists of names.

    matched, missing, filled: names of ours; filled are the ``num_batches_tracked``
        that files from before torch 0.4.1 lack, set to 0.
    unexpected, left_out: names of the file; left_out is known and not needed.
    """

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    left_out: list[str]
    filled: list[str]


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint without running anything it names.

    Raises:
        ValueError: If the file cannot be read, is damaged, or holds anything but
            tensors, numbers, texts and containers of them.
    """
    try:
        check_sums(path)
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except OSError as error:
        why = error.strerror or error
        raise ValueError(f'{path}: cannot be read: {why}') from error
    # A damaged file may raise nearly anything.
    except Exception as error:
        refused = re.search(r'GLOBAL (\S+)', str(error))
        if refused:
            why = f'it asks for {refused[1]}, which may run code; it was not opened'
        else:
            why = 'it is damaged or was not written by torch.save'
        raise ValueError(f'{path}: cannot be read as plain weights: {why}') from error
    try:
        return find_state(checkpoint)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def find_state(checkpoint: Any) -> dict[str, Tensor]:
    """Find the state dict in a checkpoint.

    It may lie under ``state_dict``, ``model_state_dict`` or ``model``, and its names
    may all begin with ``module.``, as DataParallel leaves them.

    Raises:
        ValueError: If there is none.
    """
    state = checkpoint
    if isinstance(checkpoint, Mapping):
        nested = ('state_dict', 'model_state_dict', 'model')
        found = [checkpoint[key] for key in nested if key in checkpoint]
        state = found[0] if found else checkpoint
    if not isinstance(state, Mapping) or not state:
        got = 'nothing in it' if state == {} else f'a {type(state).__name__}'
        raise ValueError(f'expected a dict of named tensors, got {got}')
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(
                f'expected a dict of named tensors, {key!r} is a {type(value).__name__}'
            )
    if all(key.startswith('module.') for key in state):
        state = {key[len('module.') :]: value for key, value in state.items()}
    return dict(state)


def find_kind(state: Mapping[str, Tensor]) -> str:
    """Tell ``'i3d'`` from ``'detector'`` by the names.

    Raises:
        ValueError: If it is neither.
    """
    if any(key.startswith(('primary_caps.', 'conv_caps.')) for key in state):
        return 'detector'
    if any(key.startswith(('Conv3d_', 'Mixed_')) for key in state):
        return 'i3d'
    raise ValueError(
        'expected the names of pytorch-i3d (Conv3d_1a_7x7.conv3d.weight, ...) or of '
        'the released detector (conv1.Conv3d_1a_7x7.conv3d.weight, primary_caps..., '
        f'...), got {_shorten(list(state), 4)}'
    )


def our_name(key: str) -> str | None:
    """Name that a parameter of the released detector has here, if any."""
    for theirs, ours in RENAMED.items():
        if key.startswith(theirs):
            return ours + key[len(theirs) :]
    return None


def build_expected(state: Mapping[str, Tensor]) -> nn.Module:
    """Build the module that a state should fill, on the meta device.

    The number of classes of a detector is the length of ``conv_caps.beta_a``.

    Raises:
        ValueError: If a detector has no ``conv_caps.beta_a``.
    """
    with torch.device('meta'):
        if find_kind(state) == 'i3d':
            return I3D(out_endpoints=TAPS)
        if 'conv_caps.beta_a' not in state:
            raise ValueError(
                'missing conv_caps.beta_a, which tells the number of classes'
            )
        num_classes = state['conv_caps.beta_a'].numel()
        return MaskDetector(
            backbone=dict(type='I3D', out_endpoints=TAPS),
            head=dict(type='CapsuleRoutingHead', num_classes=num_classes),
        )


def convert(
    state: Mapping[str, Tensor], allow_partial: bool = False
) -> tuple[dict[str, Tensor], Report]:
    """Rename published weights.

    Args:
        state: As :func:`find_state` returns it, of either kind.
        allow_partial: Return what fits although names are missing or unexpected.

    Returns:
        The weights under our names, in our order, and what became of the file's.

    Raises:
        ValueError: If the names are of neither kind, a shape is not the expected one,
            or (unless ``allow_partial``) a name is missing or unexpected.
    """
    kind = find_kind(state)
    expected = build_expected(state).state_dict()
    found, unexpected, left_out, wrong = {}, [], [], []
    for key, value in state.items():
        name = key if kind == 'i3d' else our_name(key)
        # the released transformation matrices have a leading axis for the batch
        value = value.squeeze(0) if key == 'conv_caps.weights' else value
        if kind == 'i3d' and key.startswith(BEHIND_TAPS):
            left_out.append(key)
        elif name not in expected:
            unexpected.append(key)
        elif value.shape != expected[name].shape:
            shapes = tuple(expected[name].shape), tuple(value.shape)
            wrong.append('{}: expected shape {}, got {}'.format(key, *shapes))
        else:
            found[name] = value.detach()
    if wrong:
        raise ValueError(_shorten(wrong, 3, '; '))
    absent = [name for name in expected if name not in found]
    filled = [name for name in absent if name.endswith('.num_batches_tracked')]
    missing = [name for name in absent if name not in filled]
    report = Report(list(found), missing, unexpected, left_out, filled)
    if (missing or unexpected) and not allow_partial:
        parts = (('missing', missing), ('unexpected', unexpected))
        raise ValueError(
            '; '.join(f'{len(p)} {word}: {_shorten(p)}' for word, p in parts if p)
        )
    found.update((name, torch.tensor(0)) for name in filled)
    return {name: found[name] for name in expected if name in found}, report


def _shorten(names: list[str], most: int = 8, separator: str = ', ') -> str:
    return separator.join([*names[:most], *(['...'] if names[most:] else [])])
