"""Routing between capsule types: which inputs an output capsule explains.

Shapes: N positions (batch x grid), I input capsule types, K output types, poses are
p x p matrices flattened row by row to P = p * p numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

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


def dynamic_routing(
    votes: Tensor, activation: Tensor, iterations: int = 3
) -> tuple[Tensor, Tensor]:
    """Route votes by agreement (Sabour et al. 2017, Procedure 1).

    Args:
        votes: (N, I, K, P).
        activation: (N, I) in [0, 1]; the weight of an input's votes, which Sabour's
            capsules carry in the length of their poses.
        iterations: At least 1.

    Returns:
        Poses (N, K, P), squashed to a length below 1, and that length (N, K).
    """
    logits = votes.new_zeros(votes.shape[:3])
    for i in range(iterations):
        share = logits.softmax(-1) * activation[..., None]
        total = torch.einsum('nik,nikp->nkp', share, votes)
        squared = total.square().sum(-1, keepdim=True)
        pose = total * squared.add(EPS).sqrt() / (1 + squared)
        if i < iterations - 1:
            logits = logits + torch.einsum('nkp,nikp->nik', pose, votes)
    return pose, pose.square().sum(-1).add(EPS).sqrt()
