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
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# which of the axes t, h, w are held at their first position: none first, then faces,
# edges and the corner
FACES = tuple(itertools.product((False, True), repeat=3))


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
        kernel, bias = compose_tail(up, smooth, factors)
        out = put_taps(x, kernel)
        return out + smoothed_constant(bias, out.shape[1:]) + smooth.bias


def compose_tail(
    up: nn.ConvTranspose3d, smooth: nn.ConvTranspose3d, factors: Tensor
) -> tuple[list[Tensor], Tensor]:
    """Sum over the D channels between the two layers.

    Args:
        up: As for :func:`smooth_upsampled`.
        smooth: As for :func:`smooth_upsampled`.
        factors: As for :func:`smooth_upsampled`.

    Returns:
        For each of ``FACES`` the kernels (B, C, k, k, k), where k is 1 along the axes
        held and 5 along others; the smoothed bias (B, 3, 3, 3) per tap of ``smooth``.
    """
    factors = factors.to(smooth.weight.dtype)[..., None, None, None]
    kernel = smooth.weight[:, 0] * factors  # (B, D, 3, 3, 3)
    # all products of a tap of up (klm) with one of smooth (tuv), summed over channels
    products = torch.einsum('cdklm,bdtuv->bctuvklm', up.weight, kernel)
    composed = []
    for face in FACES:
        inner = products
        for axis, held in enumerate(face):
            if held:
                inner = inner.narrow(axis - 3, 0, 1).narrow(axis - 6, 2, 1)
        lengths = [1 if held else 5 for held in face]
        taps = inner.new_zeros(*inner.shape[:2], *lengths)
        windows = [range(1 if held else 3) for held in face]
        for t, u, v in itertools.product(*windows):
            part = inner[:, :, t, u, v]
            place = [slice(o, o + n) for o, n in zip((t, u, v), part.shape[2:])]
            taps[(..., *place)] += part
        composed.append(taps)
    bias = (kernel * up.bias[:, None, None, None]).sum(1)
    return composed, bias


def smoothed_constant(taps: Tensor, shape: torch.Size) -> Tensor:
    """Smooth the constant 1 on a grid with kernels (B, 3, 3, 3): (B, *shape)."""
    for axis, size in enumerate(shape, 1):
        first, middle, last = taps.unbind(axis)
        # without the tap that looks beyond the lower end, with all, beyond the upper
        taps = torch.stack([first + middle, first + middle + last, middle + last], axis)
        place = torch.ones(size, dtype=torch.long, device=taps.device)
        place[0], place[-1] = 0, 2
        taps = taps.index_select(axis, place)
    return taps


def put_taps(x: Tensor, kernels: list[Tensor]) -> Tensor:
    """Transposed convolution of stride 2 to one channel, less its excess on the faces.

    Args:
        x: (B, C, t, h, w).
        kernels: Of :func:`compose_tail`, (B, C, ...) or (1, C, ...).

    Returns:
        (B, 2t, 2h, 2w), at least float32.
    """
    kernels = [kernel.expand(len(x), *kernel.shape[1:]) for kernel in kernels]
    return _PutTaps.apply(x, *kernels)


class _PutTaps(torch.autograd.Function):
    """One matrix product for all taps of a clip, then one strided sum a tap."""

    @staticmethod
    def forward(ctx, x: Tensor, *kernels: Tensor) -> Tensor:
        ctx.save_for_backward(x, *kernels)
        dtype = torch.promote_types(x.dtype, torch.float32)
        out = x.new_empty((len(x), *(2 * n for n in x.shape[2:])), dtype=dtype)
        for b, face, kernel in _clips_and_faces(x, kernels):
            clip = _on_face(x[b], face)
            taps = kernel[b].to(x.dtype).flatten(1)
            windows, kept = _canvas(clip, kernel, dtype)
            for column, window in zip(taps.t() @ clip.flatten(1), windows):
                window += column.view_as(window)
            if any(face):
                _on_face(out[b], face).add_(kept, alpha=(-1) ** sum(face))
            else:
                out[b] = kept
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, ...]:
        x, *kernels = ctx.saved_tensors
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
        grad_kernels = [
            torch.empty_like(k, memory_format=torch.contiguous_format) for k in kernels
        ]
        for b, face, kernel in _clips_and_faces(x, kernels):
            clip = _on_face(x[b], face)
            taps = kernel[b].to(x.dtype).flatten(1)
            windows, kept = _canvas(clip, kernel, grad.dtype)
            kept.copy_(_on_face(grad[b], face)).mul_((-1) ** sum(face))
            columns = x.new_empty(len(windows), clip[0].numel())
            for column, window in zip(columns, windows):
                column.view(window.shape).copy_(window)
            if any(face):
                part = (taps @ columns).view(clip.shape)
                _on_face(grad_x[b], face).add_(part)
            else:
                torch.mm(taps, columns, out=grad_x[b].flatten(1))
            target = grad_kernels[FACES.index(face)][b]
            target.copy_((clip.flatten(1) @ columns.t()).view_as(target))
        return grad_x, *grad_kernels


def _clips_and_faces(
    x: Tensor, kernels: Sequence[Tensor]
) -> Iterator[tuple[int, tuple[bool, ...], Tensor]]:
    """Each clip with the whole first, then its faces, edges and corner."""
    for b in range(len(x)):
        for face, kernel in zip(FACES, kernels):
            yield b, face, kernel


def _on_face(x: Tensor, face: tuple[bool, ...]) -> Tensor:
    """The first position along the axes (of the last three) that are held."""
    for axis, held in enumerate(face):
        if held:
            x = x.narrow(axis - 3, 0, 1)
    return x


def _canvas(
    clip: Tensor, kernel: Tensor, dtype: torch.dtype
) -> tuple[list[Tensor], Tensor]:
    """The windows of all taps on one canvas of zeros, and the part that is kept."""
    sizes, lengths = clip.shape[1:], kernel.shape[2:]
    full = [2 * (n - 1) + k for n, k in zip(sizes, lengths)]
    canvas = clip.new_zeros(full, dtype=dtype)
    windows = [
        canvas[tuple(slice(o, o + 2 * n - 1, 2) for o, n in zip(offsets, sizes))]
        for offsets in itertools.product(*map(range, lengths))
    ]
    kept = [slice(2, 2 + 2 * n) if k > 1 else slice(1) for n, k in zip(sizes, lengths)]
    return windows, canvas[tuple(kept)]
