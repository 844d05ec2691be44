"""Spatio-temporal attention on predicted masks: where consistency matters.

All maps are computed from the predictions alone, carry no gradient, and are scaled to
[0, 1] over each clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn


def unit_range(maps: Tensor, inplace: bool = False) -> Tensor:
    """Scale each clip of (B, T, H, W) to [0, 1] by its minimum and maximum."""
    lowest = maps.amin((1, 2, 3), keepdim=True)
    span = maps.amax((1, 2, 3), keepdim=True) - lowest
    maps = maps.sub_(lowest) if inplace else maps - lowest
    return maps.div_(span + 1e-7)


def read_out(logits: Tensor, on: str) -> Tensor:
    """The ``'logits'`` themselves, or the ``'probabilities'`` they stand for.

    Raises:
        ValueError: If ``on`` is neither.
    """
    if on not in ('logits', 'probabilities'):
        raise ValueError(f"on must be 'logits' or 'probabilities', got {on!r}")
    return logits if on == 'logits' else logits.sigmoid()


def temporal_variance(maps: Tensor, window: int) -> Tensor:
    """Variance over the frames of a centred window, cut at both ends of the clip.

    Paper Eq. 4.

    Args:
        maps: (B, T, H, W).
        window: Odd number of frames, at most 2T - 1.

    Returns:
        (B, T, H, W), at least 0, not scaled.

    Raises:
        ValueError: If ``window`` is even, below 3 or above 2T - 1.
    """
    frames = maps.shape[1]
    _check_window('temporal_variance', window, frames, 2 * frames - 1)
    half = window // 2
    spans = [maps[:, max(0, t - half) : t + half + 1] for t in range(frames)]
    return torch.stack([span.var(1, correction=0) for span in spans], dim=1)


@torch.no_grad()
def cyclic_variance(first: Tensor, second: Tensor, window: int) -> Tensor:
    """Temporal variance on the ring that runs through one view and back by the other.

    The 2T - 2 frames ``first[0..T-1], second[T-2..1]`` form a closed ring, on which
    the variance in a centred window is taken. A frame's value is the sum of the
    variances at its two places on the ring (first and last frame have one place,
    counted twice). Paper Eq. 4 in the cyclic form of the released code; the
    anti-clockwise ring is the same ring reversed and gives the same map.

    Args:
        first: (B, T, H, W) predictions.
        second: Same shape, in the same frame geometry and time order.
        window: Odd number of frames, at most 2T - 2.

    Returns:
        (B, T, H, W), at least 0, not scaled, without gradient.

    Raises:
        ValueError: If ``window`` is even or does not fit on the ring.
    """
    frames = first.shape[1]
    size = 2 * frames - 2
    _check_window('cyclic_variance', window, frames, size)
    means, places = _ring_matrices(frames, window, first)
    maps = first.new_empty(first.shape)
    # Clip by clip, because large temporaries cost a CPU more than the sums. Around a
    # pixel's mean on the ring E[x^2] - E[x]^2 is as accurate as the definition.
    with torch.autocast(first.device.type, enabled=False):
        for out, go, back in zip(*(x.flatten(2) for x in (maps, first, second))):
            ring = torch.cat([go, back[1:-1].flip(0)])
            ring -= ring.mean(0)
            mean = means @ ring
            torch.mm(places @ means, ring.square_(), out=out)
            out.addmm_(places, mean.square_(), alpha=-1)
    return maps.clamp_(min=0)


def _ring_matrices(frames: int, window: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Means in the windows of the ring (n, n), and frames' sums over places (T, n)."""
    size = 2 * frames - 2
    place = torch.arange(size, device=like.device)
    distance = (place[:, None] - place) % size
    near = (distance <= window // 2) | (distance >= size - window // 2)
    frame = torch.arange(frames, device=like.device)[:, None]
    # the first and the last frame are their own counterparts
    sums = (place == frame).to(like.dtype) + (place == -frame % size)
    return near.to(like.dtype) / window, sums


def _check_window(name: str, window: int, frames: int, longest: int) -> None:
    if window % 2 == 0 or not 1 < window <= longest:
        raise ValueError(
            f'{name}: window must be odd and between 3 and {longest} for {frames} '
            f'frames, got {window}'
        )


def temporal_curvature(prob: Tensor) -> Tensor:
    """Second temporal derivative of (B, T, H, W) maps (paper Eq. 6), signed.

    Central differences inside, one-sided at the ends, applied twice. That is linear
    in the frames, hence one product with a T x T matrix.
    """
    identity = torch.eye(prob.shape[1], dtype=prob.dtype, device=prob.device)
    (slope,) = torch.gradient(identity, dim=0)
    (curvature,) = torch.gradient(slope, dim=0)
    with torch.autocast(prob.device.type, enabled=False):
        return (curvature @ prob.flatten(2)).view_as(prob)


@MODELS.register_module()
class TemporalVariance(nn.Module):
    """Attention to pixels whose own prediction changes over time (the paper's "V").

    Args:
        window: As for :class:`CyclicVariance`.
        ramped: As for :class:`CyclicVariance`.
        on: As for :class:`CyclicVariance`.
    """

    def __init__(self, window: int = 5, ramped: bool = True, on: str = 'logits'):
        super().__init__()
        self.window = window
        self.ramped = ramped
        self.on = on

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map the first of two (B, T, H, W) logit volumes to attention in [0, 1]."""
        maps = temporal_variance(read_out(first, self.on), self.window)
        return unit_range(maps, inplace=True)


@MODELS.register_module()
class CyclicVariance(nn.Module):
    """Attention to pixels whose prediction changes over time (paper Sec. 3.3).

    Args:
        window: Frames of the sliding window, odd (paper: 5 on UCF101-24).
        ramped: Mix the attended distance with the plain one, from plain to attended in
            the course of training (the paper's "VC + L2"); ``False`` uses the attended
            distance alone ("VC").
        on: Take the variance of ``'logits'``, as the published runs did, or of
            ``'probabilities'``, as the paper writes.
        both_directions: Add the map of the ring walked backwards, as released. It is
            the same map, so this only doubles the attention; Eq. 3 has one map, hence
            the default.
    """

    def __init__(
        self,
        window: int = 5,
        ramped: bool = True,
        on: str = 'logits',
        both_directions: bool = False,
    ):
        super().__init__()
        self.window = window
        self.ramped = ramped
        self.on = on
        self.both_directions = both_directions

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map two aligned (B, T, H, W) logit volumes to attention.

        Returns:
            (B, T, H, W) in [0, 1], in [0, 2] with ``both_directions``.
        """
        first, second = read_out(first, self.on), read_out(second, self.on)
        maps = cyclic_variance(first, second, self.window)
        maps = unit_range(maps, inplace=True)
        return maps.mul_(2) if self.both_directions else maps


@MODELS.register_module()
class GradientSmoothness(nn.Module):
    """Attention to pixels whose probability bends sharply in time (paper Sec. 3.3).

    The paper looks for spikes of either sign, so the magnitude of the curvature is the
    default. The released code keeps the sign, which gives the sharpest downward bends
    weight 0 and flat regions a middling one, and weighs every clip by the mean map of
    the batch, because an axis is missing in its product.

    Args:
        ramped: As for :class:`CyclicVariance`; the paper's "G" is not.
        signed: Keep the sign of the curvature, as released.
        batch_mean: Give every clip the mean map of the batch, as released.
        thresholds: Probabilities below the first count as 0 and above the second as 1;
            ``None`` for no threshold (the released default).
    """

    def __init__(
        self,
        ramped: bool = False,
        signed: bool = False,
        batch_mean: bool = False,
        thresholds: Sequence[float | None] = (None, None),
    ):
        super().__init__()
        self.ramped = ramped
        self.signed = signed
        self.batch_mean = batch_mean
        self.thresholds = tuple(thresholds)

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Attention (B, T, H, W) in [0, 1] from the first view's logits."""
        # clip by clip, see cyclic_variance
        maps = (self._map(clip) for clip in first.split(1))
        if self.batch_mean:
            return (sum(maps) / len(first)).expand_as(first)
        return torch.cat(list(maps))

    def _map(self, logits: Tensor) -> Tensor:
        prob = logits.sigmoid()
        low, high = self.thresholds
        if low is not None:
            prob = prob.masked_fill(prob < low, 0)
        if high is not None:
            prob = prob.masked_fill(prob > high, 1)
        curvature = temporal_curvature(prob)
        return unit_range(curvature if self.signed else curvature.abs(), inplace=True)
