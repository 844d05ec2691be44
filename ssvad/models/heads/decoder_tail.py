"""The last two layers of the mask decoder as one small linear operator.

The decoder ends with an upsampling to D channels at full resolution, of which dropout
removes some, and a smoothing that sums them to one channel. Nothing nonlinear stands
between the two, so the D full-resolution maps need never exist.

Why it is exact. Along one axis the upsampling (kernel U of 3, stride 2, padding 1) puts
``x[i] U[k]`` at position ``2i - 1 + k`` of a map z, and the smoothing (kernel S of 3,
padding 1) puts ``z[o] S[j]`` at position ``o - 1 + j`` of the output. Together,
``x[i] U[k] S[j]`` goes to ``2i - 2 + (k + j)``: one transposed convolution of stride 2
with the kernel ``U * S`` of 5. Its sum over the D channels, with their dropout factors,
is taken once for the kernel instead of at every pixel.

The two differ only where z lies outside the grid, because the smoothing does not see
it there: at position -1, reached with i = 0 and k = 0, and from there only output 0,
with j = 2. (Nothing is put beyond the upper end.) What the short cut has in excess at
output 0 is hence the same operator restricted to ``x[0]``, ``U[0]`` and ``S[2]`` along
that axis. In three dimensions the excess is a union over the axes, subtracted by
inclusion and exclusion over three faces, three edges and a corner.

The bias of the upsampling is constant inside the grid. Smoothed, it has three values
along an axis: at the first position, in the middle, at the last.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# which of the axes t, h, w stand at their first position
FACES = list(itertools.product((False, True), repeat=3))[1:]


def smooth_upsampled(
    x: Tensor, up: nn.ConvTranspose3d, smooth: nn.ConvTranspose3d, factors: Tensor
) -> Tensor:
    """Compute ``smooth(factors * up(x))``, see the proof above.

    Args:
        x: (B, C, t, h, w).
        up: C to D channels, kernel 3, stride 2, padding 1, output padding 1.
        smooth: D channels to one, kernel 3, stride 1, padding 1.
        factors: (B, D), or (1, D) for the whole batch: dropout's 0 or 1 / (1 - p).

    Returns:
        (B, 2t, 2h, 2w) float32 (float64 for float64).
    """
    with torch.autocast(x.device.type, enabled=False):
        factors = factors.to(smooth.weight.dtype)[..., None, None, None]
        kernel = smooth.weight[:, 0] * factors  # (B, D, 3, 3, 3)
        out = _put_taps(x, _compose(up.weight, kernel))
        for face in FACES:
            excess = _put_taps(
                _on_face(x, face, 0),
                _compose(_on_face(up.weight, face, 0), _on_face(kernel, face, 2)),
            )
            _on_face(out, face, 0).add_(excess, alpha=(-1) ** sum(face))
        bias = (kernel * up.bias[:, None, None, None]).sum(1)
        return out + _smoothed_constant(bias, out.shape[1:]) + smooth.bias


def _on_face(x: Tensor, face: tuple[bool, ...], index: int) -> Tensor:
    """Keep one index of the axes (of the last three) that ``face`` fixes."""
    for axis, fixed in enumerate(face):
        if fixed:
            x = x.narrow(axis - 3, index, 1)
    return x


def _compose(up: Tensor, smooth: Tensor) -> Tensor:
    """Convolve (C, D, ...) with (B, D, ...), summed over D: (B, C, ...)."""
    full = [size - 1 for size in smooth.shape[2:]]
    return F.conv3d(up, smooth.flip(2, 3, 4), padding=full).transpose(0, 1)


def _smoothed_constant(taps: Tensor, shape: torch.Size) -> Tensor:
    """Smooth the constant 1 on a grid with kernels (B, 3, 3, 3): (B, *shape)."""
    for axis, size in enumerate(shape, 1):
        first, middle, last = taps.unbind(axis)
        # without the tap that looks beyond the lower end, with all, beyond the upper
        taps = torch.stack([first + middle, first + middle + last, middle + last], axis)
        place = torch.ones(size, dtype=torch.long, device=taps.device)
        place[0], place[-1] = 0, 2
        taps = taps.index_select(axis, place)
    return taps


def _put_taps(x: Tensor, kernel: Tensor) -> Tensor:
    """Transposed convolution of stride 2 to one channel.

    Args:
        x: (B, C, t, h, w).
        kernel: (B, C, ...) or (1, C, ...); along an axis 5 taps, where n positions
            become 2n, or one tap, where one position stays one.

    Returns:
        (B, ...), at least float32.
    """
    kernel = kernel.expand(len(x), *kernel.shape[1:])
    return _PutTaps.apply(x.contiguous(), kernel)


class _PutTaps(torch.autograd.Function):
    """One matrix product for all taps of a clip, then one strided sum a tap."""

    @staticmethod
    def forward(ctx, x: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernel)
        outputs = []
        for clip, taps in zip(x, kernel):
            columns = taps.to(x.dtype).flatten(1).t() @ clip.flatten(1)
            windows, kept = _canvas(clip, taps)
            for column, window in zip(columns, windows):
                window += column.view_as(window)
            outputs.append(kept)
        return torch.stack(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, kernel = ctx.saved_tensors
        grad_x, grad_kernel = torch.empty_like(x), kernel.new_empty(kernel.shape)
        for b, (clip, taps) in enumerate(zip(x, kernel)):
            windows, kept = _canvas(clip, taps)
            kept.copy_(grad[b])
            columns = torch.stack([w.flatten() for w in windows]).to(x.dtype)
            grad_x[b] = (taps.to(x.dtype).flatten(1) @ columns).view_as(clip)
            grad_kernel[b] = (clip.flatten(1) @ columns.t()).view_as(taps)
        return grad_x, grad_kernel


def _canvas(clip: Tensor, taps: Tensor) -> tuple[list[Tensor], Tensor]:
    """The windows of all taps on one canvas of zeros, and the part that is kept."""
    sizes, lengths = clip.shape[1:], taps.shape[1:]
    dtype = torch.promote_types(clip.dtype, torch.float32)
    full = [2 * (n - 1) + k for n, k in zip(sizes, lengths)]
    canvas = clip.new_zeros(full, dtype=dtype)
    windows = [
        canvas[tuple(slice(o, o + 2 * n - 1, 2) for o, n in zip(offsets, sizes))]
        for offsets in itertools.product(*map(range, lengths))
    ]
    kept = [slice(2, 2 + 2 * n) if k > 1 else slice(1) for n, k in zip(sizes, lengths)]
    return windows, canvas[tuple(kept)]
