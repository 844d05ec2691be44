"""From annotation to the mask of a clip, and what an unlabelled clip must not carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ssvad.annotations import load_masks

GROUND_TRUTH_KEYS = ('label', 'gt_tubes', 'tube_labels', 'mask_file', 'gt_mask')


def boxes_to_masks(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw boxes: a pixel is covered if its centre lies in the half-open box.

    Args:
        boxes: ``(n, T, 4)`` xyxy in pixels, right and bottom exclusive; NaN where
            there is none. May reach out of the frame.
        height: Rows of the frame.
        width: Columns of the frame.

    Returns:
        ``(T, height, width)`` uint8 in {0, 1}, the union of the ``n`` tubes.
    """
    masks = np.zeros((boxes.shape[1], height, width), dtype=np.uint8)
    # the first centre i + 0.5 that is not left of an edge e is at i = ceil(e - 0.5)
    edges = np.ceil(np.asarray(boxes, dtype=np.float64) - 0.5)
    present = np.isfinite(edges).all(-1)
    edges = np.clip(np.where(present[..., None], edges, 0), 0, [width, height] * 2)
    for tube, frame in zip(*np.nonzero(present)):
        x1, y1, x2, y2 = edges[tube, frame].astype(int)
        masks[frame, y1:y2, x1:x2] = 1
    return masks


def crop_masks(
    masks: np.ndarray, crop: Sequence[float], size: tuple[int, int]
) -> np.ndarray:
    """Cut a crop out of masks and scale it to a size, nearest neighbour.

    Exact slicing when the crop lies on whole pixels and keeps its scale.

    Args:
        masks: ``(T, h, w)``.
        crop: ``(x, y, w, h)`` as fractions of the frame.
        size: Rows and columns of the result.

    Returns:
        ``(T, size[0], size[1])``, contiguous.
    """
    height, width = masks.shape[1:]
    x, y, w, h = (float(value) for value in crop)
    rows = _nearest(y * height, h * height, size[0], height)
    columns = _nearest(x * width, w * width, size[1], width)
    return np.ascontiguousarray(masks[:, rows][:, :, columns])


def _nearest(start: float, length: float, count: int, limit: int) -> slice | np.ndarray:
    centres = start + (np.arange(count) + 0.5) * (length / count)
    nearest = np.clip(np.floor(centres).astype(int), 0, limit - 1)
    # a plain crop is a slice, thirty times faster than picking every pixel
    if (np.diff(nearest) == 1).all():
        return slice(nearest[0], nearest[-1] + 1)
    return nearest


@TRANSFORMS.register_module()
class TubesToMask(BaseTransform):
    """Make the masks of the sampled frames at the size of the source video.

    They are read from the video's mask file if it has one (see ``TubeDataset``), else
    the boxes are drawn. Put it after decoding, which tells the size of the frames.

    Required Keys:

        - gt_tubes ``(n, F, 4)``
        - frame_inds
        - original_shape
        - mask_file (optional), with total_frames
        - frame_valid (optional)
        - height, width (optional, checked against the frames)

    Added Keys:

        - gt_mask ``(len(frame_inds), h, w)`` uint8 in {0, 1}: union of all tubes,
          zero where ``frame_valid`` is false

    Raises:
        ValueError: If the frames have another size than the annotation says, or the
            mask file does not fit the video.
    """

    def transform(self, results: dict) -> dict:
        """Add the mask."""
        if 'original_shape' not in results:
            raise KeyError('TubesToMask needs original_shape: put it after decoding')
        height, width = results['original_shape']
        annotated = results.get('height', height), results.get('width', width)
        if annotated != (height, width):
            raise ValueError(
                f'{results.get("filename")}: frames are {width}x{height}, the actors '
                f'are annotated for {annotated[1]}x{annotated[0]} (width x height)'
            )
        frame_inds = results['frame_inds']
        if 'mask_file' in results:
            shape = results['total_frames'], height, width
            masks = load_masks(results['mask_file'], frame_inds, shape)
        else:
            masks = boxes_to_masks(results['gt_tubes'][:, frame_inds], height, width)
        if 'frame_valid' in results:
            masks[~results['frame_valid']] = 0
        results['gt_mask'] = masks
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class AlignMask(BaseTransform):
    """Bring the mask from the source video to the frame of the clip.

    Repeats on the mask what MMAction's crops, ``Resize`` and ``Flip`` recorded;
    ``Flip`` must come after the crops, as MMAction demands. With ``PairedViews``
    put it after: the mask then has the size of the views and lies in the frame
    they share. Does nothing without a mask.

    Required Keys:

        - img_shape
        - original_shape
        - gt_mask (optional)
        - crop_quadruple (optional)
        - flip, flip_direction (optional)

    Modified Keys:

        - gt_mask ``(T, H, W)`` torch uint8

    Raises:
        ValueError: If the mask is not at source size, e.g. already aligned.
    """

    def transform(self, results: dict) -> dict:
        """Crop, scale and flip the mask like the frames."""
        masks = results.get('gt_mask')
        if masks is None:
            return results
        source = tuple(results['original_shape'])
        if isinstance(masks, torch.Tensor) or tuple(masks.shape[1:]) != source:
            raise ValueError(
                'AlignMask needs gt_mask as array at the size of the source video '
                f'{source}, got {type(masks).__name__} {tuple(masks.shape)}; is it '
                'in the pipeline twice?'
            )
        crop = results.get('crop_quadruple', (0.0, 0.0, 1.0, 1.0))
        masks = crop_masks(masks, crop, tuple(results['img_shape']))
        if results.get('flip', False):
            axis = 1 if results['flip_direction'] == 'vertical' else 2
            masks = np.flip(masks, axis).copy()
        results['gt_mask'] = torch.from_numpy(masks)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class DropLabels(BaseTransform):
    """Remove all ground truth: what passes is an unlabelled clip.

    Put it after ``SampleTubeClip``: the published protocol cuts unlabelled clips
    around annotated frames too; ``trimmed=False`` does without.

    Removed keys: label, gt_tubes, tube_labels, mask_file, gt_mask.
    """

    def transform(self, results: dict) -> dict:
        """Remove the keys that are there."""
        for key in GROUND_TRUTH_KEYS:
            results.pop(key, None)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
