"""A convolution with large weights, computed some output channels at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CHUNK = 64  # output channels


def conv2d_in_chunks(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Apply a plain ``layer`` (no padding, stride 1) with less memory on a CPU.

    CPU kernels copy weights and their gradients to a layout of their own. For the
    primary capsules, 832 to 512 channels of 9 x 9, that is some hundred megabytes at
    the worst moment of a training step. In chunks the copies are small, at no cost in
    time. Elsewhere, and in mixed precision, it is the layer itself.

    Args:
        x: (B, C, H, W).
        layer: C to D channels, kernel k.

    Returns:
        (B, D, H - k + 1, W - k + 1).
    """
    if x.device.type != 'cpu' or torch.is_autocast_enabled('cpu'):
        return layer(x)
    return _ChunkedConv2d.apply(x, layer.weight, layer.bias)


class _ChunkedConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        parts = zip(weight.split(CHUNK), bias.split(CHUNK))
        return torch.cat([F.conv2d(x, *part) for part in parts], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad_x, grad_weight = torch.zeros_like(x), torch.empty_like(weight)
        parts = zip(grad.split(CHUNK, 1), weight.split(CHUNK), grad_weight.split(CHUNK))
        for grad_part, weight_part, target in parts:
            from_part, for_weight, _ = torch.ops.aten.convolution_backward(
                grad_part.contiguous(),
                x,
                weight_part,
                None,
                [1, 1],
                [0, 0],
                [1, 1],
                False,
                [0, 0],
                1,
                [True, True, False],
            )
            grad_x += from_part
            target.copy_(for_weight)
        return grad_x, grad_weight, grad.sum((0, 2, 3))
