"""Any video backbone of MMAction2 under the mask head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Union

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

STRIDES = (2, 4, 8)  # of the maps that the head takes, in time, height and width
Tap = Union[int, str, Sequence[Union[int, str]]]


def shrink(x: Tensor, size: Sequence[int]) -> Tensor:
    """Average (B, C, T, H, W) down to ``size`` along axes that are longer."""
    size = [min(have, want) for have, want in zip(x.shape[2:], size)]
    if any(have % want for have, want in zip(x.shape[2:], size)):
        return F.adaptive_avg_pool3d(x, size)
    # the same for whole windows, and known to ONNX
    window = [have // want for have, want in zip(x.shape[2:], size)]
    return x if max(window) == 1 else F.avg_pool3d(x, window)


def grow(x: Tensor, size: Sequence[int]) -> Tensor:
    """Interpolate (B, C, T, H, W) linearly up to ``size``."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode='trilinear')


@contextlib.contextmanager
def outputs_of(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Catch what modules return while a forward pass lasts, by name."""
    caught = {}
    handles = [
        # hooks that stayed would go on to catch for the original in its deep copies
        module.register_forward_hook(
            lambda _, inputs, output, name=name: caught.update({name: output})
        )
        for name, module in modules.items()
    ]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


@MODELS.register_module()
class AdaptedBackbone(BaseModule):
    """A backbone of MMAction2, with its feature maps as ``CapsuleRoutingHead`` wants.

    Each of three maps is averaged over what it has too much in time, height and width,
    goes through a convolution of 1 x 1 x 1, batch norm and ReLU, after which it looks
    to the head as I3D's do, and is interpolated to the size wanted. Sizes of clips need
    be multiples of 8, whatever the strides of the backbone.

    Weights of a recogniser of MMAction2 fit as they are, by their names ``backbone.*``:
    ``init_cfg=dict(type='Pretrained', checkpoint=...)``, here and not in the backbone.

    Args:
        backbone: Config of the backbone, (B, 3, T, H, W) to anything.
        taps: Three feature maps, from shallow to deep. A number counts those that the
            backbone returns, e.g. with ``out_indices``; a name is that of a layer in
            it, e.g. ``'layer1'`` or ``'slow_path.layer1'``. Several numbers and names
            are several maps, taken together channel by channel.
        in_channels: Channels of these maps, several taken together.
        channels: Channels to make of them: ``in_channels`` of the head.
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: If there are not three of each, or a name is not in the backbone.
    """

    def __init__(
        self,
        backbone: dict,
        taps: Sequence[Tap],
        in_channels: Sequence[int],
        channels: Sequence[int] = (64, 192, 832),
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        if not len(taps) == len(in_channels) == len(channels) == len(STRIDES):
            raise ValueError(
                'AdaptedBackbone takes three taps, in_channels and channels, got '
                f'{tuple(taps)}, {tuple(in_channels)} and {tuple(channels)}'
            )
        self.backbone = MODELS.build(backbone)
        self.taps = tuple(taps)
        known = dict(self.backbone.named_modules())
        missing = [name for name in self._names() if name not in known]
        if missing:
            names = [name for name in known if name and name.count('.') < 2]
            raise ValueError(
                f'{type(self.backbone).__name__} has no layer {missing[0]!r}; some it '
                f'has: {", ".join(names[:40])}'
            )
        self.laterals = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(before, after, 1, bias=False),
                nn.BatchNorm3d(after),
                nn.ReLU(inplace=True),
            )
            for before, after in zip(in_channels, channels)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            x: (B, 3, T, H, W) clips; T, H and W are multiples of 8.

        Returns:
            (B, C, T/2, H/2, W/2), (B, C, T/4, H/4, W/4) and (B, C, T/8, H/8, W/8).

        Raises:
            ValueError: If a tap is not such a map, with as many channels as said.
        """
        maps = []
        for tap, found, lateral, stride in zip(
            self.taps, self._tapped(x), self.laterals, STRIDES
        ):
            channels = lateral[0].in_channels
            whole = all(isinstance(part, Tensor) and part.ndim == 5 for part in found)
            if not whole or sum(part.shape[1] for part in found) != channels:
                raise ValueError(
                    f'tap {tap!r} of {type(self.backbone).__name__} should be a map '
                    f'(B, {channels}, T, H, W), got {", ".join(map(_shape, found))}'
                )
            size = [length // stride for length in x.shape[2:]]
            found = [shrink(part, size) for part in found]
            if len(found) > 1:
                found = [torch.cat([grow(part, size) for part in found], 1)]
            maps.append(grow(lateral(found[0]), size))
        return tuple(maps)

    def _names(self) -> list[str]:
        return [part for tap in self.taps for part in _parts(tap) if type(part) is str]

    def _tapped(self, x: Tensor) -> list[list[Tensor]]:
        layers = {name: self.backbone.get_submodule(name) for name in self._names()}
        with outputs_of(layers) as caught:
            returned = self.backbone(x)
        if isinstance(returned, Tensor):
            returned = (returned,)
        found = {**dict(enumerate(returned)), **caught}
        return [[found.get(part) for part in _parts(tap)] for tap in self.taps]


def _parts(tap: Tap) -> Sequence[int | str]:
    return (tap,) if isinstance(tap, (int, str)) else tap


def _shape(output) -> str:
    return str(tuple(output.shape)) if isinstance(output, Tensor) else repr(output)[:80]
