"""EM routing that never holds the votes of all positions, nor of all iterations.

The same function as :func:`~ssvad.models.heads.routing.em_routing`, arranged for
memory traffic, which is what routing costs:

* positions are routed in chunks small enough for the cache, since each position is
  routed on its own;
* votes are laid out (positions, output, input, pose), so that every sum over the input
  capsules and over pose elements is a product of small matrices, without copies;
* the squared deviations of an M-step serve the variance and the following E-step;
* the backward pass recomputes a chunk instead of keeping its intermediate results.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .routing import EPS

CHUNK = 32  # positions; 1.6 MB of votes for 32 x 24 capsules


def em_routing_by_chunks(
    poses: Tensor,
    activation: Tensor,
    transform: Tensor,
    beta_u: Tensor,
    beta_a: Tensor,
    iterations: int = 3,
    inv_temperature: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Vote and route; see :func:`~ssvad.models.heads.routing.em_routing`.

    Args:
        poses: (N, I, p, p) of the input capsules.
        activation: (N, I) in [0, 1].
        transform: (I, K, p, p); a vote is pose x transform.
        beta_u: (K, P).
        beta_a: (K,).
        iterations: Number of M-steps, at least 1.
        inv_temperature: lambda of the routing.

    Returns:
        Poses (N, K, P) and activations (N, K) in [0, 1] of the output capsules.
    """
    parameters = (transform, beta_u, beta_a, iterations, inv_temperature)
    parts = []
    for chunk in zip(poses.split(CHUNK), activation.split(CHUNK)):
        if torch.is_grad_enabled():
            parts.append(
                checkpoint(
                    _route,
                    *chunk,
                    *parameters,
                    use_reentrant=False,
                    preserve_rng_state=False,
                )
            )
        else:
            parts.append(_route(*chunk, *parameters))
    mean, out = zip(*parts)
    return torch.cat(mean), torch.cat(out)


def _route(
    poses: Tensor,
    activation: Tensor,
    transform: Tensor,
    beta_u: Tensor,
    beta_a: Tensor,
    iterations: int,
    inv_temperature: float,
) -> tuple[Tensor, Tensor]:
    votes = torch.einsum('nipq,ikqr->nkipr', poses, transform).flatten(-2)
    activation = activation[:, None]  # (N, 1, I)
    assign = votes.new_full(votes.shape[:3], 1.0 / votes.shape[1])  # (N, K, I)
    for i in range(iterations):
        assign = assign * activation
        assign = assign / (assign.sum(1, keepdim=True) + EPS)
        total = assign.sum(-1, keepdim=True)  # (N, K, 1)
        share = (assign / (total + EPS))[:, :, None]  # (N, K, 1, I)
        mean = share @ votes  # (N, K, 1, P)
        squared = (votes - mean).square()
        variance = (share @ squared)[:, :, 0] + EPS  # (N, K, P)
        log_variance = variance.log()
        cost = total[..., 0] * (beta_u + 0.5 * log_variance).sum(-1)
        centred = cost - cost.mean(-1, keepdim=True)
        logit = inv_temperature * (beta_a + centred / (math.sqrt(EPS) + EPS))
        out = logit.sigmoid()
        if i < iterations - 1:
            distance = (squared @ variance.reciprocal()[..., None])[..., 0]
            constant = (log_variance + math.log(2 * math.pi)).sum(-1, keepdim=True)
            prior = (EPS + out[..., None]).log()
            assign = (prior - 0.5 * (distance + constant)).softmax(1)
    return mean[:, :, 0], out
