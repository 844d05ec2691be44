"""Reading the fields of a data sample."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def field(sample: Mapping, name: str) -> np.ndarray:
    """A field of a data sample as an array; tensors of any device are fetched.

    Raises:
        KeyError: if the sample lacks the field.
    """
    if name not in sample:
        raise KeyError(
            f"data sample of video '{sample.get('video_id')}' has no '{name}', only "
            f'{sorted(sample)}; pack it (meta_keys, algorithm_keys) or predict it'
        )
    value = sample[name]
    if hasattr(value, 'detach'):
        value = value.detach().cpu().numpy()
    return np.asarray(value)
