"""SAME padding as TensorFlow defines it, and max pooling with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = Sequence[int]


def same_pads(x: Tensor, kernel: Triple, stride: Triple) -> list[tuple[int, int]]:
    """Zeros before and after T, H and W as TensorFlow's SAME wants: the odd one last.

    Strided windows make the padding depend on the size of the input, so it cannot be
    an attribute of the layer.
    """
    pads = []
    for size, k, s in zip(x.shape[-3:], kernel, stride):
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def pad(x: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
    """Copy (..., T, H, W) with zeros around it."""
    return F.pad(x, [n for pair in reversed(pads) for n in pair])


def shifted_max_pool3d(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Max pooling axis by axis, as maxima of shifted copies.

    Gives what ``F.max_pool3d`` gives, several times faster on a CPU, but costs memory
    for gradients; for inference.
    """
    for axis, (k, s) in enumerate(zip(kernel, stride), x.ndim - 3):
        count = (x.shape[axis] - k) // s + 1
        shifted = [x.narrow(axis, offset, s * (count - 1) + 1) for offset in range(k)]
        step = (slice(None),) * axis + (slice(None, None, s),)
        x = shifted[0][step]
        for other in shifted[1:]:
            x = torch.maximum(x, other[step])
    return x


class SameMaxPool3d(nn.MaxPool3d):
    """Max pooling with SAME zero padding (inputs are never negative here)."""

    def __init__(self, kernel: Triple, stride: Triple, implementation: str = 'fast'):
        super().__init__(kernel, stride)
        self.implementation = implementation

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to ceil(size / stride) in each of T, H, W."""
        pads = same_pads(x, self.kernel_size, self.stride)
        if self.implementation == 'plain':
            return F.max_pool3d(pad(x, pads), self.kernel_size, self.stride)
        if not torch.is_grad_enabled() and not x.is_cuda:
            return shifted_max_pool3d(pad(x, pads), self.kernel_size, self.stride)
        # A last window that reaches beyond the end needs no copy with zeros, unless
        # windows go by single steps.
        if any(front != back and s == 1 for (front, back), s in zip(pads, self.stride)):
            x, pads = pad(x, pads), [(0, 0)] * 3
        padding = [front for front, _ in pads]
        return F.max_pool3d(x, self.kernel_size, self.stride, padding, ceil_mode=True)
