"""Where a view lies in its source frame, and how to bring maps back.

Two frames of reference, both measured as fractions so that no pixel size enters:

* the *source* frame is the clip all views of a sample share (after the shared
  crop of the pipeline, before any view transform); ground truth lives there;
* a *view* frame is what the network sees: the source is first cropped, then
  flipped left to right (MMAction's own rule: ``Flip`` comes last).

Pixel ``i`` of an axis with ``n`` pixels has its centre at ``(i + 0.5) / n``
(``align_corners=False``). Maps of both frames are sampled on the same ``H x W``
grid, so a crop is a zoom. Flips are exact copies; only crops interpolate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

WHOLE_FRAME = (0.0, 0.0, 1.0, 1.0)


class ViewGeometry(NamedTuple):
    """Geometry of one view: crop first, then flip.

    Attributes:
        crop: ``(x, y, w, h)`` as fractions of the source frame; MMAction records
            the same four numbers as ``crop_quadruple``.
        hflip: Whether the crop was mirrored left to right.
    """

    crop: tuple[float, float, float, float] = WHOLE_FRAME
    hflip: bool = False


def to_original(maps: Tensor, views: Sequence[ViewGeometry]) -> tuple[Tensor, Tensor]:
    """Bring maps of a view back to the source frame.

    Args:
        maps: ``(B, T, H, W)`` floating point, in the frame of the view.
        views: One geometry a sample, length ``B``.

    Returns:
        The maps ``(B, T, H, W)`` in the source frame, zero outside the crop, and
        ``valid`` ``(B, 1, H, W)`` bool, true where the pixel centre lies inside
        the crop. Bit-exact for samples that are only flipped; differentiable.

    Raises:
        TypeError: If the maps are not floating point.
        ValueError: If the shapes do not fit or a crop has no area.
    """
    _check(maps, views)
    maps = _flip(maps, views)
    valid = maps.new_ones((len(views), 1) + maps.shape[2:], dtype=torch.bool)
    if not _any_crop(views):
        return maps, valid
    crop = _crops(maps, views)
    offset, size = crop[:, :2], crop[:, 2:]
    # source g in [-1, 1] -> view: ((g + 1) / 2 - offset) / size, rescaled to [-1, 1]
    grid = _affine(maps, 1 / size, (1 - 2 * offset) / size - 1)
    valid = (grid.abs() <= 1).all(-1).unsqueeze(1)
    moved = _sample(maps, grid).masked_fill(~valid, 0)
    return _where_cropped(views, moved, maps), valid


def to_view(maps: Tensor, views: Sequence[ViewGeometry]) -> Tensor:
    """Bring maps of the source frame into the frame of a view.

    Does to a map what cropping, bilinear resizing to ``H x W`` and flipping do to
    an image: pixels beyond the crop never bleed in.

    Args:
        maps: ``(B, T, H, W)`` floating point, in the source frame.
        views: One geometry a sample, length ``B``.

    Returns:
        ``(B, T, H, W)`` in the frame of the view. Bit-exact for samples that are
        only flipped; differentiable.

    Raises:
        TypeError: If the maps are not floating point.
        ValueError: If the shapes do not fit or a crop has no area.
    """
    _check(maps, views)
    if _any_crop(views):
        crop = _crops(maps, views)
        offset, size = crop[:, :2], crop[:, 2:]
        grid = _affine(maps, size, 2 * offset + size - 1)
        # an image that was cut has no neighbours: stop at its outer pixel centres
        pixel = crop.new_tensor([1 / maps.shape[3], 1 / maps.shape[2]])
        low = (2 * offset + pixel - 1)[:, None, None]
        high = (2 * (offset + size) - pixel - 1)[:, None, None]
        grid = torch.minimum(torch.maximum(grid, low), high)
        maps = _where_cropped(views, _sample(maps, grid), maps)
    return _flip(maps, views)


def crop_places(
    size: tuple[int, int], crops: Sequence[Sequence[float]], whole: Sequence[float]
) -> tuple[tuple[int, int], list[tuple[slice, slice]]]:
    """Where maps of crops lie in a map of the frame that they are parts of.

    Args:
        size: Rows and columns of a crop's map.
        crops: ``(V, 4)`` ``(x, y, w, h)`` of the crops as fractions of the source
            frame, all of one size.
        whole: ``(4,)`` the same of the frame; the crops lie inside it, on whole
            pixels.

    Returns:
        Rows and columns of the frame's map, in the scale of the crops, and the rows
        and columns of each crop in it.

    Raises:
        ValueError: If the crops differ in size or leave the frame.
    """
    crops = torch.as_tensor(crops, dtype=torch.float64).reshape(-1, 4)
    whole = torch.as_tensor(whole, dtype=torch.float64)
    if (crops[:, 2:] - crops[:1, 2:]).abs().max() > 1e-6:
        raise ValueError(
            f'expected crops (x, y, w, h) of one size, got {crops.tolist()}'
        )
    height, width = size
    scale = torch.tensor([width, height]) / crops[0, 2:]
    columns, rows = (whole[2:] * scale).round().int().tolist()
    places = []
    corners = ((crops[:, :2] - whole[:2]) * scale).round().int()
    for left, top in corners.tolist():
        if not (0 <= left <= columns - width and 0 <= top <= rows - height):
            raise ValueError(
                f'a crop of {width}x{height} at {left}, {top} leaves the frame of '
                f'{columns}x{rows} (width x height) with the geometry {whole.tolist()}'
            )
        places.append((slice(top, top + height), slice(left, left + width)))
    return (rows, columns), places


def average_crops(
    maps: Tensor, crops: Sequence[Sequence[float]], whole: Sequence[float]
) -> Tensor:
    """Put maps of crops where they belong; where several lie, their mean counts.

    Args:
        maps: ``(V, N, H, W)`` floating point, N maps of each of V crops.
        crops: See :func:`crop_places`.
        whole: See :func:`crop_places`.

    Returns:
        ``(N, H', W')`` of the whole frame, 0 where no crop lies.

    Raises:
        ValueError: If there are not as many crops as maps, or they do not fit.
    """
    size, places = crop_places(tuple(maps.shape[2:]), crops, whole)
    if len(places) != len(maps):
        raise ValueError(f'{len(maps)} maps came for {len(places)} crops')
    total = maps.new_zeros((maps.shape[1], *size))
    count = maps.new_zeros(size)
    for part, (rows, columns) in zip(maps, places):
        total[:, rows, columns] += part
        count[rows, columns] += 1
    return total / count.clamp(min=1)


def _check(maps: Tensor, views: Sequence[ViewGeometry]) -> None:
    if not maps.is_floating_point():
        raise TypeError(f'maps must be floating point, got {maps.dtype}')
    if maps.ndim != 4 or len(maps) != len(views):
        raise ValueError(
            'expected maps (B, T, H, W) and one ViewGeometry for each of the B '
            f'samples, got maps {tuple(maps.shape)} and {len(views)} geometries'
        )
    for index, view in enumerate(views):
        if len(view.crop) != 4 or min(view.crop[2:]) <= 0:
            raise ValueError(
                f'view of sample {index}: crop must be (x, y, w, h) with positive '
                f'w and h, got {view.crop}'
            )


def _is_cropped(views: Sequence[ViewGeometry]) -> list[bool]:
    return [tuple(view.crop) != WHOLE_FRAME for view in views]


def _any_crop(views: Sequence[ViewGeometry]) -> bool:
    return any(_is_cropped(views))


def _crops(maps: Tensor, views: Sequence[ViewGeometry]) -> Tensor:
    """``(B, 4)`` float32: half precision would misplace pixels."""
    crops = [tuple(view.crop) for view in views]
    return torch.tensor(crops, dtype=torch.float32, device=maps.device)


def _affine(maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Sampling grid ``(B, H, W, 2)`` of ``scale * g + shift``, both ``(B, 2)``."""
    theta = torch.cat([torch.diag_embed(scale), shift[:, :, None]], dim=2)
    size = (len(maps), 1) + tuple(maps.shape[2:])
    return F.affine_grid(theta, list(size), align_corners=False)


def _sample(maps: Tensor, grid: Tensor) -> Tensor:
    work = maps if maps.dtype == torch.float64 else maps.float()
    moved = F.grid_sample(
        work,
        grid.to(work.dtype),
        mode='bilinear',
        padding_mode='border',
        align_corners=False,
    )
    return moved.to(maps.dtype)


def _where_cropped(
    views: Sequence[ViewGeometry], moved: Tensor, kept: Tensor
) -> Tensor:
    cropped = torch.tensor(_is_cropped(views), device=kept.device)
    return torch.where(cropped[:, None, None, None], moved, kept)


def _flip(maps: Tensor, views: Sequence[ViewGeometry]) -> Tensor:
    flips = [bool(view.hflip) for view in views]
    if not any(flips):
        return maps
    flipped = torch.flip(maps, dims=[-1])
    if all(flips):
        return flipped
    mask = torch.tensor(flips, device=maps.device)
    return torch.where(mask[:, None, None, None], flipped, maps)
