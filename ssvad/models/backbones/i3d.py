"""Inflated 3D Inception (Carreira & Zisserman 2017) as used for action detection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ssvad.models.thin_conv import conv3d_of_3

from .same_padding import SameMaxPool3d, Triple, pad, same_pads

# Channels of the branches (b0, b1a, b1b, b2a, b2b, b3b).
INCEPTION_CHANNELS = {
    'Mixed_3b': (64, 96, 128, 16, 32, 32),
    'Mixed_3c': (128, 128, 192, 32, 96, 64),
    'Mixed_4b': (192, 96, 208, 16, 48, 64),
    'Mixed_4c': (160, 112, 224, 24, 64, 64),
    'Mixed_4d': (128, 128, 256, 24, 64, 64),
    'Mixed_4e': (112, 144, 288, 32, 64, 64),
    'Mixed_4f': (256, 160, 320, 32, 128, 128),
    'Mixed_5b': (256, 160, 320, 32, 128, 128),
    'Mixed_5c': (384, 192, 384, 48, 128, 128),
}
ENDPOINTS = (
    'Conv3d_1a_7x7',
    'MaxPool3d_2a_3x3',
    'Conv3d_2b_1x1',
    'Conv3d_2c_3x3',
    'MaxPool3d_3a_3x3',
    'Mixed_3b',
    'Mixed_3c',
    'MaxPool3d_4a_3x3',
    'Mixed_4b',
    'Mixed_4c',
    'Mixed_4d',
    'Mixed_4e',
    'Mixed_4f',
    'MaxPool3d_5a_2x2',
    'Mixed_5b',
    'Mixed_5c',
)


class Unit3D(nn.Module):
    """SAME convolution without bias, batch norm, ReLU; arguments as in I3D."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Triple,
        stride: Triple,
        implementation: str = 'fast',
    ):
        super().__init__()
        self.implementation = implementation
        self.conv3d = nn.Conv3d(
            in_channels, out_channels, tuple(kernel), tuple(stride), bias=False
        )
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to ceil(size / stride) in each of T, H, W."""
        pads = same_pads(x, self.conv3d.kernel_size, self.conv3d.stride)
        if self.implementation == 'plain':
            return F.relu(self.bn(self.conv3d(pad(x, pads))))
        return F.relu(self.bn(self._convolve(x, pads)), inplace=True)

    def _convolve(self, x: Tensor, pads: list[tuple[int, int]]) -> Tensor:
        conv = self.conv3d
        if conv.kernel_size == (3, 3, 3) and conv.stride == (1, 1, 1):
            return conv3d_of_3(x, conv.weight, conv.bias)
        padding = [front for front, _ in pads]
        if any(front != back for front, back in pads):
            x, padding = pad(x, pads), 0
        return F.conv3d(x, conv.weight, conv.bias, conv.stride, padding)


class InceptionBlock(nn.Module):
    """Four parallel branches, concatenated over channels."""

    def __init__(
        self, in_channels: int, channels: Sequence[int], implementation: str = 'fast'
    ):
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = channels

        def unit(before: int, after: int, size: int) -> Unit3D:
            return Unit3D(before, after, (size,) * 3, (1, 1, 1), implementation)

        self.b0 = unit(in_channels, b0, 1)
        self.b1a = unit(in_channels, b1a, 1)
        self.b1b = unit(b1a, b1b, 3)
        self.b2a = unit(in_channels, b2a, 1)
        self.b2b = unit(b2a, b2b, 3)
        self.b3a = SameMaxPool3d((3, 3, 3), (1, 1, 1), implementation)
        self.b3b = unit(in_channels, b3b, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the four branches' channels, same T, H, W."""
        branches = (
            self.b0(x),
            self.b1b(self.b1a(x)),
            self.b2b(self.b2a(x)),
            self.b3b(self.b3a(x)),
        )
        return torch.cat(branches, dim=1)


@contextlib.contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Leave running statistics alone while a forward pass is computed again."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm3d)]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


@MODELS.register_module()
class I3D(BaseModule):
    """I3D trunk with feature taps; parameter names are those of pytorch-i3d.

    The default strides are those of the capsule detectors (VideoCapsuleNet lineage):
    the time axis is halved three times and space three times, so that ``Mixed_4f``
    of an 8 x 224 x 224 clip is 832 x 1 x 28 x 28. ``conv2c_stride=(1, 1, 1)`` and
    ``pool4a_stride=(2, 2, 2)`` give back the classification network.

    Args:
        out_endpoints: Names from ``ENDPOINTS`` whose outputs are returned, in
            network order. The network is built up to the last of them.
        conv2c_stride: (time, height, width) stride of ``Conv3d_2c_3x3``.
        pool4a_stride: (time, height, width) stride of ``MaxPool3d_4a_3x3``.
        width: Factor on every channel count, for small models.
        bn_momentum: Of the running statistics; 0.01 averages over some hundred
            iterations, too slow for short trainings from scratch.
        in_channels: Colours of the clip.
        with_cp: Keep only the outputs of the endpoints for the backward pass and
            compute the rest again, for less memory; the same gradients, and batch norm
            counts each clip once.
        channels_last: Lay activations out as (time, height, width, channel), which
            suits tensor cores; no gain on a CPU.
        implementation: ``'fast'`` spares copies and products with the padding,
            ``'plain'`` computes as published; the same function and checkpoints.
        init_cfg: mmengine initialisation, e.g. ``dict(type='Pretrained', ...)``.

    Raises:
        ValueError: If an endpoint is unknown or none is given, or the implementation is
            unknown.
    """

    def __init__(
        self,
        out_endpoints: Sequence[str] = ('Mixed_4f',),
        conv2c_stride: Triple = (2, 1, 1),
        pool4a_stride: Triple = (2, 1, 1),
        width: float = 1.0,
        bn_momentum: float = 0.01,
        in_channels: int = 3,
        with_cp: bool = False,
        channels_last: bool = False,
        implementation: str = 'fast',
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        unknown = [name for name in out_endpoints if name not in ENDPOINTS]
        if unknown or not out_endpoints:
            raise ValueError(
                f'I3D out_endpoints: expected names from {ENDPOINTS}, '
                f'got {tuple(out_endpoints)}'
            )
        if implementation not in ('fast', 'plain'):
            raise ValueError(
                f"implementation must be 'fast' or 'plain', got {implementation!r}"
            )
        self.with_cp = with_cp
        self.channels_last = channels_last
        self.out_endpoints = tuple(out_endpoints)
        last = max(ENDPOINTS.index(name) for name in out_endpoints)
        self.endpoints = ENDPOINTS[: last + 1]

        def scaled(channels: int) -> int:
            return max(1, round(channels * width))

        # name -> (out channels, kernel, stride) of the plain convolutions
        convs = {
            'Conv3d_1a_7x7': (64, (7, 7, 7), (2, 2, 2)),
            'Conv3d_2b_1x1': (64, (1, 1, 1), (1, 1, 1)),
            'Conv3d_2c_3x3': (192, (3, 3, 3), conv2c_stride),
        }
        pools = {
            'MaxPool3d_2a_3x3': ((1, 3, 3), (1, 2, 2)),
            'MaxPool3d_3a_3x3': ((1, 3, 3), (1, 2, 2)),
            'MaxPool3d_4a_3x3': ((3, 3, 3), tuple(pool4a_stride)),
            'MaxPool3d_5a_2x2': ((2, 2, 2), (2, 2, 2)),
        }
        channels = in_channels
        for name in self.endpoints:
            if name in convs:
                out, kernel, stride = convs[name]
                layer = Unit3D(channels, scaled(out), kernel, stride, implementation)
                channels = scaled(out)
            elif name in pools:
                layer = SameMaxPool3d(*pools[name], implementation)
            else:
                branches = [scaled(c) for c in INCEPTION_CHANNELS[name]]
                layer = InceptionBlock(channels, branches, implementation)
                b0, _, b1b, _, b2b, b3b = branches
                channels = b0 + b1b + b2b + b3b
            self.add_module(name, layer)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = bn_momentum

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the tapped feature maps.

        Args:
            x: (B, C, T, H, W) clips; the reference network takes RGB in [0, 1].

        Returns:
            One map if one endpoint was asked for (as MMAction2's heads expect), else
            a tuple in network order, shallow to deep.
        """
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last_3d)
        taps = {}
        for name in self.endpoints:
            layer = getattr(self, name)
            if self.with_cp and self.training and torch.is_grad_enabled():
                x = checkpoint(
                    layer,
                    x,
                    use_reentrant=False,
                    context_fn=lambda layer=layer: (
                        contextlib.nullcontext(),
                        frozen_statistics(layer),
                    ),
                )
            else:
                x = layer(x)
            if name in self.out_endpoints:
                taps[name] = x
        outputs = tuple(taps.values())
        return outputs[0] if len(outputs) == 1 else outputs
