"""Where training stands, and the curves that depend on it."""

from __future__ import annotations

import math
from typing import NamedTuple

from mmengine.logging import MessageHub


class Progress(NamedTuple):
    """Position in training; ``epoch`` counts from 0 as mmengine does."""

    epoch: int
    max_epochs: int


def train_progress() -> Progress:
    """Read the current epoch from mmengine's message hub.

    Returns:
        The position in the running training loop. Outside a ``Runner`` (unit
        tests, notebooks) it is epoch 0 of 1.
    """
    info = MessageHub.get_current_instance().runtime_info
    return Progress(int(info.get('epoch', 0)), max(1, int(info.get('max_epochs', 1))))


def sigmoid_ramp(progress: Progress, first_epoch: int = 1) -> float:
    """Exponential ramp-up of consistency training: ``exp(-5 (1 - e/N)^2)``.

    Args:
        progress: Position in training.
        first_epoch: Number e of the first epoch. With 1, as released and by default,
            epoch 1 of 100 has weight 0.0074 and the last one 1. The paper's "w = 0 at
            the start" is as near as exp(-5) with 0, but then no epoch reaches 1.

    Returns:
        Weight in (0, 1].
    """
    epoch = progress.epoch + first_epoch
    if epoch >= progress.max_epochs:
        return 1.0
    return math.exp(-5.0 * (1.0 - epoch / progress.max_epochs) ** 2)
