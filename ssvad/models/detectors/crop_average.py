"""One map of the whole frame from maps of crops that overlap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def average_crops(
    maps: Tensor, crops: Sequence[Sequence[float]], whole: Sequence[float]
) -> Tensor:
    """Put maps of crops where they belong; where several lie, their mean counts.

    Args:
        maps: (V, N, H, W), N maps of each of V crops, all in the same scale.
        crops: (V, 4) x, y, w, h of the crops as fractions of the source frame, all of
            one size.
        whole: (4,) the same of the frame to fill; the crops lie inside it, on whole
            pixels.

    Returns:
        (N, H', W') of the whole frame in the scale of the crops, 0 where no crop lies.

    Raises:
        ValueError: If there are not as many crops as maps, they differ in size, or
            they leave the frame.
    """
    crops = torch.as_tensor(crops, dtype=torch.float64).reshape(-1, 4)
    whole = torch.as_tensor(whole, dtype=torch.float64)
    num, _, height, width = maps.shape
    if len(crops) != num or (crops[:, 2:] - crops[:1, 2:]).abs().max() > 1e-6:
        raise ValueError(
            f'expected {num} crops of one size, one per map, got (x, y, w, h) '
            f'{crops.tolist()}'
        )
    scale = torch.tensor([width, height]) / crops[0, 2:]
    columns, rows = (whole[2:] * scale).round().int().tolist()
    corners = ((crops[:, :2] - whole[:2]) * scale).round().int().tolist()
    total = maps.new_zeros((maps.shape[1], rows, columns))
    count = maps.new_zeros((rows, columns))
    for part, (left, top) in zip(maps, corners):
        if not (0 <= left <= columns - width and 0 <= top <= rows - height):
            raise ValueError(
                f'a crop of {width}x{height} at {left}, {top} leaves the frame of '
                f'{columns}x{rows} (width x height) that crop_quadruple describes'
            )
        place = slice(top, top + height), slice(left, left + width)
        total[(slice(None), *place)] += part
        count[place] += 1
    return total / count.clamp(min=1)
