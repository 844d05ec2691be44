"""Distances between the class capsules of two views (paper Sec. 3.2, Eq. 1)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def class_distribution(activations: Tensor) -> Tensor:
    """Class activations as a distribution over dimension 1, at least 1e-7.

    Args:
        activations: (B, K, ...), not negative.
    """
    return F.normalize(activations, p=1, dim=1, eps=1e-7).clamp(min=1e-7)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions, in nats.

    Args:
        p: (B, K, ...) distribution over dimension 1, positive.
        q: Same shape.

    Returns:
        (B, ...) in [0, ln 2].
    """
    log_mean = (0.5 * (p + q)).log()
    divergence = 0.5 * (p * (p.log() - log_mean) + q * (q.log() - log_mean))
    return divergence.sum(1)


def class_jsd(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence between class distributions, in nats (paper Eq. 1).

    Args:
        first: (B, K, ...) non-negative class activations, normalised over K here.
        second: Same shape.

    Returns:
        Scalar in [0, ln 2], mean over everything but K.
    """
    return jensen_shannon(class_distribution(first), class_distribution(second)).mean()


def class_kl(first: Tensor, second: Tensor) -> Tensor:
    """Kullback-Leibler divergence both ways, of activations that are not normalised.

    What the authors ran before the release (the classification loss of CSD): each
    direction has one side as a constant target, so each view is drawn to the other.
    As activations do not sum to 1 it is no divergence and may be negative.

    Args:
        first: (B, K, ...) class activations in [0, 1].
        second: Same shape.

    Returns:
        Scalar, mean over everything but K, both directions added.
    """

    def towards(target: Tensor, moving: Tensor) -> Tensor:
        target = target.detach() + 1e-7
        return (target * (target.log() - (moving + 1e-7).log())).sum(1).mean()

    return towards(first, second) + towards(second, first)


def mutual_kl(p: Tensor, q: Tensor) -> Tensor:
    """``(KL(sg(q) | p) + KL(sg(p) | q)) / 2``: each is a target for the other (CSD).

    Args:
        p: (B, K, ...) distribution over dimension 1, positive.
        q: Same shape.

    Returns:
        (B, ...) divergence in nats.
    """

    def towards(target: Tensor, moving: Tensor) -> Tensor:
        target = target.detach()
        return (target * (target.log() - moving.log())).sum(1)

    return 0.5 * (towards(q, p) + towards(p, q))
