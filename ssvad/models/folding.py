"""Batch norm folded into the convolution before it, for inference."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .backbones.i3d import Unit3D


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Copy a model with the batch norms of its I3D units folded away.

    In eval mode batch norm scales and shifts each channel by constants, which the
    convolution before it can do itself. The copy is the same function to rounding,
    with a bias in ``conv3d`` and nothing in place of ``bn``. Other layers stay as
    they are.

    The copy is for inference only: its parameters ask for no gradient, and dropout is
    all that ``train()`` would still switch. Load checkpoints before folding; the names
    of the copy's parameters are others.

    Args:
        model: Any module with an I3D in it, in eval mode.

    Raises:
        ValueError: If a batch norm to fold is in train mode, where it normalises by
            its batch, or if there is none.
    """
    units = {name: unit for name, unit in _foldable(model).items() if unit.bn.training}
    if units:
        raise ValueError(
            'fold_batch_norm needs a model in eval mode: batch norm of '
            f'{next(iter(units))!r} is in train mode; call model.eval() before'
        )
    folded = copy.deepcopy(model)
    units = _foldable(folded)
    if not units:
        raise ValueError(
            f'found no I3D unit with batch norm in {type(model).__name__}; is it '
            'folded already, or has it another backbone?'
        )
    for unit in units.values():
        unit.conv3d = fuse_conv_bn_eval(unit.conv3d, unit.bn)
        unit.bn = nn.Identity()
    return folded.requires_grad_(False)


def _foldable(model: nn.Module) -> dict[str, Unit3D]:
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Unit3D) and not isinstance(module.bn, nn.Identity)
    }
