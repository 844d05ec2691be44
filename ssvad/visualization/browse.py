"""Sheets that show what a pipeline made of a video: views, masks, maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmaction.structures import ActionDataSample
from torch import Tensor

from ssvad.geometry import ViewGeometry, to_view

from . import draw
from .detection_picture_hook import frames_of_clips, join_crops

NUM_FRAMES = 8  # in a row, and in the clips of all configs


def describe(sample: ActionDataSample, classes: Sequence[str]) -> str:
    """What is known of a sample: class and size of the actors, or UNLABELLED."""
    if 'gt_label' not in sample:
        return 'UNLABELLED'
    text = f'labelled: {classes[int(sample.gt_label)]}'
    if 'gt_mask' not in sample:
        return text
    share = sample.gt_mask.float().mean().item()
    return f'{text}, {share:.1%} of all pixels' if share else f'{text}, NOT IN PICTURE'


def clip_sheet(
    clips: Tensor,
    sample: ActionDataSample,
    classes: Sequence[str],
    maps: Mapping[str, Tensor] | None = None,
    min_width: int = 112,
) -> np.ndarray:
    """Draw a training clip: a row for each view, truth in green, and one for each map.

    Args:
        clips: (V, C, T, H, W) uint8 RGB, the views of the clip.
        sample: With ``video_id``, ``views`` (name -> ``ViewGeometry``; one view without
            a name if missing); ``gt_label`` and ``gt_mask`` (T, H, W) if labelled.
        classes: Names.
        maps: Name -> (T, H, W) in [0, 1], drawn over the frames of the first view.
        min_width: Frames narrower than this are enlarged by a whole factor.

    Returns:
        (h, w, 3) uint8.
    """
    frames = clips.permute(0, 2, 3, 4, 1).cpu().numpy()  # (V, T, H, W, C)
    chosen = spread(frames.shape[1], NUM_FRAMES)
    views = sample.metainfo.get('views', {'clip': ViewGeometry()})
    strips = []
    for (name, geometry), view in zip(views.items(), frames):
        view = list(view)
        if 'gt_mask' in sample:
            mask = to_view(sample.gt_mask[None].float(), [geometry])[0].cpu() >= 0.5
            view = [draw.overlay_mask(*pair, draw.GREEN) for pair in zip(view, mask)]
        strips.append(_strip(view, chosen, f'view: {name}', min_width))
    for name, values in (maps or {}).items():
        heat = [draw.heat_map(*pair) for pair in zip(frames[0], values.cpu().numpy())]
        strips.append(_strip(heat, chosen, name, min_width))
    return _titled(strips, sample, classes)


def video_sheet(
    clips: Tensor,
    sample: ActionDataSample,
    classes: Sequence[str],
    min_width: int = 112,
) -> np.ndarray:
    """Draw evenly spread frames of a video as it is tested, truth in green.

    Args:
        clips: (M, C, T, H, W) uint8 RGB; (V*M, ...) if there are ``crop_quadruples``.
        sample: As the test pipelines make it: ``video_id``, ``frame_inds``,
            ``frame_valid`` and, if annotated, ``gt_label``, ``gt_mask`` (M*T, H, W).
        classes: Names.
        min_width: Frames narrower than this are enlarged by a whole factor.

    Returns:
        (h, w, 3) uint8.
    """
    clips = clips.cpu().numpy()
    if 'crop_quadruples' in sample:
        clips = join_crops(clips, sample.crop_quadruples, sample.crop_quadruple)
    inds, valid = np.asarray(sample.frame_inds), np.asarray(sample.frame_valid)
    frames = list(frames_of_clips(clips, inds, valid))
    numbers = inds[valid]
    if 'gt_mask' in sample:
        masks = sample.gt_mask.cpu().numpy()[valid][np.argsort(numbers, kind='stable')]
        frames = [draw.overlay_mask(*pair, draw.GREEN) for pair in zip(frames, masks)]
    chosen = spread(len(frames), NUM_FRAMES)
    listed = ', '.join(str(n) for n in np.sort(numbers)[chosen])
    text = f'frames {listed} of {len(frames)}'
    return _titled([_strip(frames, chosen, text, min_width)], sample, classes)


def spread(total: int, count: int) -> list[int]:
    """``count`` of ``total`` indices, evenly spread from the first to the last."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


def _strip(
    frames: Sequence[np.ndarray], chosen: Sequence[int], text: str, min_width: int
) -> np.ndarray:
    scale = max(1, -(-min_width // frames[0].shape[1]))
    return draw.film_strip([draw.enlarge(frames[i], scale) for i in chosen], text)


def _titled(
    strips: Sequence[np.ndarray], sample: ActionDataSample, classes: Sequence[str]
) -> np.ndarray:
    colour = draw.DARK_GREEN if 'gt_label' in sample else draw.ORANGE
    title = f'{describe(sample, classes)} - {sample.video_id}'
    return draw.caption(np.concatenate(strips), title, colour)
