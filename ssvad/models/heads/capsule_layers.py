"""Matrix capsules: primary capsules and EM routing between capsule types.

Shapes: N positions (batch x grid), I input capsule types, K output types, poses are
p x p matrices flattened row by row to P = p * p numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

EPS = 1e-8


def m_step(
    votes: Tensor,
    assign: Tensor,
    activation: Tensor,
    beta_u: Tensor,
    beta_a: Tensor,
    inv_temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit one Gaussian per output capsule to the votes assigned to it.

    Two traits of the released capsule detector are kept because its numbers depend on
    them: a larger vote variance gives a *larger* activation, and the costs are centred
    over the output capsules and divided by ``sd = sqrt(0 + eps)``. The released code
    computes that 0 as the square of a sum of deviations, which is rounding noise in
    float32; the constant used here is its exact value (and has the same gradient).

    Args:
        votes: (N, I, K, P).
        assign: (N, I, K), responsibilities of the previous step.
        activation: (N, I) of the input capsules, in [0, 1].
        beta_u: (K, P).
        beta_a: (K,).
        inv_temperature: lambda of the routing, 1e-6 in the reference.

    Returns:
        mean (N, K, P), variance (N, K, P), activation (N, K).
    """
    assign = assign * activation[..., None]
    assign = assign / (assign.sum(-1, keepdim=True) + EPS)
    total = assign.sum(1)  # (N, K)
    share = assign / (total[:, None] + EPS)
    mean = torch.einsum('nik,nikp->nkp', share, votes)
    deviation = (votes - mean[:, None]).square()
    variance = torch.einsum('nik,nikp->nkp', share, deviation) + EPS
    cost = total * (beta_u + 0.5 * variance.log()).sum(-1)
    centred = cost - cost.mean(-1, keepdim=True)
    logit = inv_temperature * (beta_a + centred / (math.sqrt(EPS) + EPS))
    return mean, variance, logit.sigmoid()


def e_step(votes: Tensor, mean: Tensor, variance: Tensor, activation: Tensor) -> Tensor:
    """Responsibilities (N, I, K) of the output capsules for each vote."""
    mean, variance = mean[:, None], variance[:, None]
    log_p = -0.5 * (
        (votes - mean).square() / variance + variance.log() + math.log(2 * math.pi)
    ).sum(-1)
    return (log_p + (EPS + activation[:, None]).log()).softmax(-1)


def em_routing(
    votes: Tensor,
    activation: Tensor,
    beta_u: Tensor,
    beta_a: Tensor,
    iterations: int = 3,
    inv_temperature: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Route votes by expectation-maximisation (Hinton et al. 2018, Procedure 1).

    Args:
        votes: (N, I, K, P).
        activation: (N, I) in [0, 1].
        beta_u: (K, P), cost of describing a vote by a capsule.
        beta_a: (K,), activation bias.
        iterations: Number of M-steps, at least 1.
        inv_temperature: See :func:`m_step`.

    Returns:
        Poses (N, K, P) and activations (N, K) in [0, 1] of the output capsules.
    """
    assign = votes.new_full(votes.shape[:3], 1.0 / votes.shape[2])
    for i in range(iterations):
        mean, variance, out = m_step(
            votes, assign, activation, beta_u, beta_a, inv_temperature
        )
        if i < iterations - 1:
            assign = e_step(votes, mean, variance, out)
    return mean, out


class PrimaryCapsules(nn.Module):
    """Convolutions that turn a feature map into poses and activations.

    Args:
        in_channels: Channels of the feature map.
        num_capsules: Capsule types I.
        pose_size: p; a pose is a p x p matrix.
        kernel_size: Spatial kernel; no padding, so the grid shrinks by kernel - 1.
    """

    def __init__(
        self, in_channels: int, num_capsules: int, pose_size: int, kernel_size: int
    ):
        super().__init__()
        self.pose = nn.Conv2d(in_channels, num_capsules * pose_size**2, kernel_size)
        self.activation = nn.Conv2d(in_channels, num_capsules, kernel_size)
        for conv in (self.pose, self.activation):
            nn.init.normal_(conv.weight, std=0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) to poses (B, I*P, h, w) and activations (B, I, h, w)."""
        return self.pose(x), self.activation(x).sigmoid()


class ConvCapsules(nn.Module):
    """1 x 1 convolutional capsules: EM routing at every grid position on its own.

    Routing takes logarithms of tiny variances, so it runs in float32 inside autocast.

    Args:
        in_capsules: I.
        out_capsules: K.
        pose_size: p.
        iterations: Routing iterations.
    """

    def __init__(
        self, in_capsules: int, out_capsules: int, pose_size: int, iterations: int
    ):
        super().__init__()
        self.iterations = iterations
        self.transform = nn.Parameter(
            torch.randn(in_capsules, out_capsules, pose_size, pose_size)
        )
        self.beta_u = nn.Parameter(torch.randn(out_capsules, pose_size**2))
        self.beta_a = nn.Parameter(torch.randn(out_capsules))

    def forward(self, poses: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
        """Route (B, I*P, h, w) poses and (B, I, h, w) activations.

        Returns:
            Poses (B, K, P, h, w) and activations (B, K, h, w) in [0, 1].
        """
        batch, num_in, height, width = activation.shape
        num_out, size = self.transform.shape[1], self.transform.shape[-1]
        with torch.autocast(poses.device.type, enabled=False):
            dtype = self.transform.dtype
            poses = poses.to(dtype).reshape(batch, num_in, size, size, -1)
            activation = activation.to(dtype).flatten(2).movedim(1, 2).flatten(0, 1)
            votes = torch.einsum('bipqn,ikqr->bnikpr', poses, self.transform)
            votes = votes.flatten(0, 1).flatten(-2)  # (N, I, K, P)
            mean, out = em_routing(
                votes, activation, self.beta_u, self.beta_a, self.iterations
            )
        mean = mean.reshape(batch, height, width, num_out, -1).permute(0, 3, 4, 1, 2)
        out = out.reshape(batch, height, width, num_out).permute(0, 3, 1, 2)
        return mean, out
