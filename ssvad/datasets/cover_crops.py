"""Several crops that show the whole frame to a network trained on smaller ones."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ssvad.geometry import WHOLE_FRAME


def cover_axis(length: int, crop: int) -> np.ndarray:
    """First pixels of as few crops as cover an axis, spread evenly from end to end.

    Args:
        length: Pixels of the frame along the axis.
        crop: Pixels of a crop, at most ``length``.

    Returns:
        ``(n,)`` int, ascending; 0 and ``length - crop`` are among them.
    """
    count = -(-length // crop)
    return np.rint(np.linspace(0, length - crop, count)).astype(int)


@TRANSFORMS.register_module()
class CoverCrops(BaseTransform):
    """Cut each frame in as few crops of one size as cover it, for testing.

    In the place of ``CenterCrop``, which takes the same size: 224 x 240 (width x
    height) gives two crops of a frame of 320 x 240, at x = 0 and 96; 224 x 224 gives
    four. The crops go along MMAction's axis of crops, crop after crop, and
    ``MaskDetector.predict`` averages their masks where they overlap and their class
    scores. ``crop_quadruples`` must be among the ``meta_keys`` that are packed for it.
    The keys that describe the frame stay, so ``AlignMask`` gives the mask of all of it.

    Required Keys:

        - imgs: frames ``(h, w, 3)``
        - img_shape
        - crop_quadruple (optional)

    Modified Keys:

        - imgs: V times as many frames

    Added Keys:

        - crop_quadruples ``(V, 4)`` float32: x, y, w, h of each crop as fractions of
          the source frame
        - crop_quadruple: of the frame that they cover, if there was none

    Args:
        crop_size: Width and height of a crop in pixels; one number for both.

    Raises:
        ValueError: If a frame is smaller than a crop, or frames are lazy.
    """

    def __init__(self, crop_size: int | tuple[int, int]) -> None:
        if isinstance(crop_size, int):
            crop_size = crop_size, crop_size
        if len(crop_size) != 2 or min(crop_size) < 1:
            raise ValueError(
                f'crop_size must be (width, height) in pixels, got {crop_size}'
            )
        self.crop_size = tuple(crop_size)

    def transform(self, results: dict) -> dict:
        """Replace the frames by those of all crops and record where they lie."""
        if 'lazy' in results:
            raise ValueError('CoverCrops needs real frames: put Fuse before it')
        height, width = results['img_shape']
        crop_width, crop_height = self.crop_size
        if crop_width > width or crop_height > height:
            raise ValueError(
                f'{results.get("filename")}: crops of {crop_width}x{crop_height} do '
                f'not fit a frame of {width}x{height} (width x height); take smaller '
                'ones or put a Resize before'
            )
        corners = [
            (left, top)
            for top in cover_axis(height, crop_height)
            for left in cover_axis(width, crop_width)
        ]
        results['imgs'] = [
            frame[top : top + crop_height, left : left + crop_width]
            for left, top in corners
            for frame in results['imgs']
        ]
        whole = np.asarray(results.setdefault('crop_quadruple', WHOLE_FRAME))
        x, y, w, h = np.asarray(whole, np.float64)
        results['crop_quadruple'] = whole.astype(np.float32)
        results['crop_quadruples'] = np.array(
            [
                (
                    x + w * left / width,
                    y + h * top / height,
                    w * crop_width / width,
                    h * crop_height / height,
                )
                for left, top in corners
            ],
            np.float32,
        )
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size})'
