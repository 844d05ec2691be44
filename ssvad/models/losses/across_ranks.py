"""Sums that a loss takes over the clips of all processes."""

from __future__ import annotations

from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def sum_over_ranks(values: Tensor) -> Tensor:
    """Sum over processes; with one process the values themselves.

    DDP and FSDP take the mean of the ranks' gradients. What flows back is therefore
    multiplied by their number: a loss that is the same function of these sums on all
    ranks then has the gradient of one process with all clips. All ranks have to call
    it, those without any clip with zeros.

    Args:
        values: Any shape, floating point, the same on all ranks.

    Returns:
        Same shape.
    """
    ranks = get_world_size()
    if ranks == 1:
        return values
    total = values.detach().clone()
    all_reduce(total)
    return total + ranks * (values - values.detach())
