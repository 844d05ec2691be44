"""Where training stands, and the curves that depend on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mmengine.logging import MessageHub


class Progress(NamedTuple):
    """Position in training; ``epoch`` and ``iter`` count from 0 as mmengine does."""

    epoch: int
    max_epochs: int
    iter: int = 0
    max_iters: int = 1

    @property
    def done(self) -> float:
        """Share of all iterations that lies behind, in [0, 1)."""
        return self.iter / self.max_iters


def train_progress() -> Progress:
    """Read the position of the running training loop from mmengine's message hub.

    Returns:
        The position. Outside a ``Runner`` (unit tests, notebooks) it is epoch 0 of 1.
    """
    info = MessageHub.get_current_instance().runtime_info
    return Progress(
        int(info.get('epoch', 0)),
        max(1, int(info.get('max_epochs', 1))),
        int(info.get('iter', 0)),
        max(1, int(info.get('max_iters', 1))),
    )


def sigmoid_rampup(epoch: float, length: float) -> float:
    """``exp(-5 (1 - x / L)^2)`` below L, then 1 (Laine & Aila 2017).

    Args:
        epoch: x >= 0. The released codes count epochs from 1.
        length: L; with 0 the weight is always 1.
    """
    if epoch >= length:
        return 1.0
    return math.exp(-5.0 * (1.0 - epoch / length) ** 2)


def linear_rampup(epoch: float, length: float) -> float:
    """``x / L`` below L, then 1; see :func:`sigmoid_rampup`."""
    return 1.0 if epoch >= length else epoch / length


def delayed_rampup(epoch: float, start: float, stop: float) -> float:
    """0 up to ``start``, then linear, 1 from ``stop`` on (Lee 2013)."""
    return linear_rampup(max(0.0, epoch - start), stop - start)


def sigmoid_rampdown(epoch: float, length: float, total: float) -> float:
    """1, in the last ``length`` of ``total`` epochs ``exp(-(d / 2)^2 / length)``.

    Args:
        epoch: x >= 0; d is what it has gone into the last part.
        length: Of the last part.
        total: Of training.
    """
    into = max(0.0, epoch - (total - length))
    return math.exp(-((0.5 * into) ** 2) / length)


def cosine_rampdown(epoch: float, length: float, total: float) -> float:
    """1, in the last part ``(1 + cos(pi d / (2 length))) / 2``.

    See :func:`sigmoid_rampdown`; at the end of training it is at 0.5.
    """
    into = max(0.0, epoch - (total - length))
    return 0.5 * (1 + math.cos(math.pi * 0.5 * into / length))


def csd_ramp(done: float) -> float:
    """Weight of CSD and ISD over training (Jeong et al. 2019, released code).

    Args:
        done: Share of training that lies behind, in [0, 1]. 120 k iterations have
            marks at 32 k and 100 k.

    Returns:
        0 at the very start, then rises as :func:`sigmoid_rampup` to 1 at 4/15, and
        falls from 5/6 on as ``exp(-12.5 d^2)`` with d in [0, 1].
    """
    if done == 0:
        return 0.0
    into = max(0.0, 1 - (1 - done) * 6)
    return sigmoid_rampup(done, 4 / 15) * math.exp(-12.5 * into**2)


def sigmoid_ramp(progress: Progress, first_epoch: int = 1) -> float:
    """:func:`sigmoid_rampup` over all of training, one step an epoch.

    Args:
        progress: Position in training.
        first_epoch: Number of the first epoch. With 1, as released and by default,
            epoch 1 of 100 has weight 0.0074 and the last one 1. The paper's "w = 0 at
            the start" is as near as exp(-5) with 0, but then no epoch reaches 1.

    Returns:
        Weight in (0, 1].
    """
    return sigmoid_rampup(progress.epoch + first_epoch, progress.max_epochs)


RAMPS = {
    'sigmoid': sigmoid_rampup,
    'linear': linear_rampup,
    'delayed': delayed_rampup,
    'sigmoid_down': sigmoid_rampdown,
    'cosine_down': cosine_rampdown,
}


def epoch_ramp(config: dict | None) -> Callable[[Progress], float]:
    """Make a weight that depends on the epoch, numbered from 1, of a config.

    Args:
        config: ``dict(kind='sigmoid', length=16)``: a name of ``RAMPS`` and the
            function's arguments in epochs; ``None`` is always 1.

    Raises:
        ValueError: If there is no such kind or the arguments are not the function's.
    """
    if config is None:
        return lambda progress: 1.0
    arguments = dict(config)
    kind = arguments.pop('kind', None)
    if kind not in RAMPS:
        raise ValueError(f'kind of a ramp must be one of {sorted(RAMPS)}, got {kind!r}')
    curve = partial(RAMPS[kind], **arguments)
    try:
        curve(1)
    except TypeError as error:
        raise ValueError(f'ramp {config}: {error}') from None
    return lambda progress: curve(progress.epoch + 1)
