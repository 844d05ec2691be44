"""Overlap thresholds as they are written in configs and named in metric keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

import numpy as np

Threshold = Union[float, Sequence[float]]


def named_thresholds(thrs: Sequence[Threshold]) -> dict[str, np.ndarray]:
    """Name every threshold and spell out the ranges that are averaged over.

    Args:
        thrs: numbers in [0, 1], or (first, last, step) ranges, last included.

    Returns:
        ``{'0.20': [0.2], '0.50-0.95': [0.5, 0.55, ..., 0.95]}`` for
        ``(0.2, (0.5, 0.95, 0.05))``.

    Raises:
        ValueError: for numbers outside [0, 1] and ranges of another form.
    """
    named = {}
    for thr in thrs:
        if np.ndim(thr) == 0:
            values, name = np.array([thr], np.float64), f'{thr:.2f}'
        elif len(thr) == 3 and thr[2] > 0 and thr[0] < thr[1]:
            first, last, step = thr
            # rounding gives the literals 0.55, 0.6, ... that exact ties compare with
            values = np.round(np.arange(first, last + step / 2, step), 10)
            name = f'{first:.2f}-{last:.2f}'
        else:
            raise ValueError(f'expected a number or (first, last, step), got {thr}')
        if values.min() < 0 or values.max() > 1:
            raise ValueError(f'expected overlap thresholds in [0, 1], got {thr}')
        named[name] = values
    return named


def mean_per_threshold(
    named: Mapping[str, np.ndarray], grid: np.ndarray, per_class: np.ndarray
) -> dict[str, np.ndarray]:
    """Pick or average the rows of a per-class result for each named threshold.

    Args:
        named: result of `named_thresholds`.
        grid: (A,) thresholds of the rows, ascending.
        per_class: (A, K) float, NaN marks an absent class.

    Returns:
        name -> (K,) in percent.

    Raises:
        ValueError: if a threshold is not on the grid.
    """
    picked = {}
    for name, values in named.items():
        distance = np.abs(np.subtract.outer(values, grid))
        if distance.min(axis=1).max() > 1e-6:
            raise ValueError(
                f'threshold {name} is none of those computed: '
                f'{np.round(grid, 6).tolist()}'
            )
        picked[name] = 100 * per_class[distance.argmin(axis=1)].mean(axis=0)
    return picked
