"""Spatio-temporal attention on predicted masks: where consistency matters.

Both maps are computed from the predictions alone, carry no gradient, and are scaled to
[0, 1] over each clip.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn


def unit_range(maps: Tensor) -> Tensor:
    """Scale each clip of (B, T, H, W) to [0, 1] by its minimum and maximum."""
    maps = maps - maps.amin((1, 2, 3), keepdim=True)
    return maps / (maps.amax((1, 2, 3), keepdim=True) + 1e-7)


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
        (B, T, H, W), at least 0, not scaled.

    Raises:
        ValueError: If ``window`` is even or does not fit on the ring.
    """
    frames = first.shape[1]
    ring_size = 2 * frames - 2
    if window % 2 == 0 or not 1 < window <= ring_size:
        raise ValueError(
            f'cyclic_variance: window must be odd and between 3 and {ring_size} for '
            f'{frames} frames, got {window}'
        )
    ring = torch.cat([first, second.flip(1)[:, 1:-1]], dim=1)
    half = window // 2
    index = torch.arange(-half, ring_size + half, device=first.device) % ring_size
    variance = ring[:, index].unfold(1, window, 1).var(-1, correction=0)
    mirror = (-torch.arange(frames, device=first.device)) % ring_size
    return variance[:, :frames] + variance[:, mirror]


def temporal_curvature(prob: Tensor) -> Tensor:
    """Second temporal derivative of (B, T, H, W) maps (paper Eq. 6), signed.

    Central differences inside, one-sided at the ends, applied twice.
    """
    slope = torch.gradient(prob, dim=1)[0]
    return torch.gradient(slope, dim=1)[0]


@MODELS.register_module()
class CyclicVariance(nn.Module):
    """Attention to pixels whose prediction changes over time (paper Sec. 3.3.1).

    Args:
        window: Frames of the sliding window, odd (paper: 5 on UCF101-24).
        ramped: Mix the attended distance with the plain one, from plain to attended in
            the course of training (the paper's "VC+L2"); ``False`` uses the attended
            distance alone ("VC").
    """

    def __init__(self, window: int = 5, ramped: bool = True):
        super().__init__()
        self.window = window
        self.ramped = ramped

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map two aligned (B, T, H, W) logit volumes to attention in [0, 1]."""
        return unit_range(cyclic_variance(first, second, self.window))


@MODELS.register_module()
class GradientSmoothness(nn.Module):
    """Attention to pixels whose probability bends sharply in time (paper Sec. 3.3.2).

    The magnitude of the curvature is used, as the paper's text implies (spikes of
    either sign break smoothness).

    Args:
        ramped: As for :class:`CyclicVariance`; the paper's "G" is not.
    """

    def __init__(self, ramped: bool = False):
        super().__init__()
        self.ramped = ramped

    @torch.no_grad()
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Attention (B, T, H, W) in [0, 1] from the first view's logits."""
        return unit_range(temporal_curvature(first.sigmoid()).abs())


def class_jsd(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence between class distributions, in nats.

    Args:
        first: (B, K, ...) non-negative class activations, normalised over K here.
        second: Same shape.

    Returns:
        Scalar in [0, ln 2], mean over everything but K.
    """
    p, q = (
        F.normalize(x, p=1, dim=1, eps=1e-7).clamp(min=1e-7) for x in (first, second)
    )
    log_mean = (0.5 * (p + q)).log()
    divergence = 0.5 * (p * (p.log() - log_mean) + q * (q.log() - log_mean))
    return divergence.sum(1).mean()
