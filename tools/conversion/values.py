"""Checking single values of foreign files."""

from __future__ import annotations

from typing import Any

import numpy as np


def short(value: Any) -> str:
    """How a value looks in a message."""
    try:
        text = ' '.join(repr(value).split())
    # Pickles hold numbers of more digits and deeper lists than Python will print.
    except (ValueError, RecursionError):
        text = f'a {type(value).__name__} too large to show'
    return text if len(text) < 100 else f'{text[:97]}...'


def whole(value: Any, what: str) -> int:
    """A Python integer of any type of number, or of an array of one number.

    Raises:
        ValueError: it is no whole number; the message begins with ``what``.
    """
    try:
        number = np.asarray(value)
    except ValueError:
        number = np.empty(0)
    if number.dtype.kind not in 'iuf' or number.size != 1 or number.item() % 1:
        raise ValueError(f'{what} must be a whole number, got {short(value)}')
    return int(number.item())
