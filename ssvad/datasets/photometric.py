"""Changes of colour and sharpness, the same for all frames of a clip.

The functions take and return a clip ``(T, H, W, 3)`` uint8 RGB and leave the one they
get alone. They mean what those of ``torchvision.transforms.functional`` mean, but
round to the nearest level where torchvision cuts off, which darkens by up to half a
level on average.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

BLUR_SIZE = (3, 3)


def adjust_brightness(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend with black: ``factor * clip``; 1 keeps the clip, 0 is black."""
    _check(clip)
    return _stretch(clip, np.zeros(len(clip)), factor)


def adjust_contrast(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend every frame with its mean grey level; 1 keeps the clip, 0 is plain grey."""
    means = _luma(clip).reshape(len(clip), -1).mean(1)
    return _stretch(clip, means, factor)


def adjust_saturation(clip: np.ndarray, factor: float) -> np.ndarray:
    """Blend every pixel with its grey level; 1 keeps the clip, 0 is grayscale."""
    gray = cv2.cvtColor(_luma(clip), cv2.COLOR_GRAY2RGB)
    blend = cv2.addWeighted(_tall(clip), factor, gray, 1 - factor, 0)
    return blend.reshape(clip.shape)


def adjust_hue(clip: np.ndarray, shift: float) -> np.ndarray:
    """Turn the hue (HSV) by ``shift`` of the colour circle; 0 keeps the clip.

    Computed in float, so that the shift is exact. Pillow, MMAction and mmcv go through
    8 bit, with 180 or 256 hues: even without a shift colours change by some levels, and
    the latter two fail on NumPy 2 where they add a negative number to a uint8.
    """
    _check(clip)
    hsv = cv2.cvtColor(_tall(clip).astype(np.float32), cv2.COLOR_RGB2HSV)
    # OpenCV goes round the circle itself, but from 0 upwards only
    hsv[..., 0] += 360 * (shift % 1)
    return cv2.convertScaleAbs(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).reshape(clip.shape)


def to_grayscale(clip: np.ndarray) -> np.ndarray:
    """ITU-R 601 grey level in all three channels."""
    return cv2.cvtColor(_luma(clip), cv2.COLOR_GRAY2RGB).reshape(clip.shape)


def gaussian_blur(clip: np.ndarray, sigma_x: float, sigma_y: float) -> np.ndarray:
    """Blur with a 3 x 3 Gaussian kernel, in pixels; frames are mirrored at the border.

    The kernel (in 256ths, sum 1) is cut off at 3 x 3: sigma 0.1 leaves the axis as it
    is, sigma 2 has the weights 0.32, 0.36, 0.32.
    """
    _check(clip)
    border = cv2.BORDER_REFLECT_101
    return np.stack(
        [
            cv2.GaussianBlur(frame, BLUR_SIZE, sigma_x, None, sigma_y, border)
            for frame in clip
        ]
    )


def _check(clip: np.ndarray) -> None:
    if clip.ndim != 4 or clip.shape[-1] != 3 or clip.dtype != np.uint8:
        raise ValueError(
            f'expected a clip (T, H, W, 3) uint8, got {clip.shape} {clip.dtype}'
        )


def _tall(clip: np.ndarray) -> np.ndarray:
    # OpenCV knows pictures, not clips: all frames below each other
    return clip.reshape(-1, clip.shape[2], 3)


def _luma(clip: np.ndarray) -> np.ndarray:
    _check(clip)
    return cv2.cvtColor(_tall(clip), cv2.COLOR_RGB2GRAY)


def _stretch(clip: np.ndarray, centres: np.ndarray, factor: float) -> np.ndarray:
    # of 256 levels each: tables are six times faster than arithmetic on pixels
    centres = centres[:, None]
    tables = np.rint(centres + factor * (np.arange(256) - centres))
    tables = tables.clip(0, 255).astype(np.uint8)
    return np.stack([cv2.LUT(frame, table) for frame, table in zip(clip, tables)])


# in the order of the released code of Stable Mean Teacher
OPERATIONS = dict(
    contrast=adjust_contrast,
    hue=adjust_hue,
    brightness=adjust_brightness,
    saturation=adjust_saturation,
    grayscale=to_grayscale,
    blur=gaussian_blur,
)
LOWEST = dict(contrast=0, hue=-0.5, brightness=0, saturation=0, blur=1e-3)
HIGHEST = dict(hue=0.5)


def apply_photometric(clip: np.ndarray, record: Iterable[tuple]) -> np.ndarray:
    """Do again what :class:`StrongPhotometric` has recorded.

    Args:
        clip: ``(T, H, W, 3)`` uint8 RGB.
        record: Name of an operation and its arguments, in order, for example
            ``[('contrast', 1.2), ('grayscale',), ('blur', 0.7, 0.7)]``.

    Returns:
        ``(T, H, W, 3)`` uint8.
    """
    for name, *arguments in record:
        clip = OPERATIONS[name](clip, *arguments)
    return clip


@TRANSFORMS.register_module()
class StrongPhotometric(BaseTransform):
    """Change colours and sharpness of a clip at random: the strong view.

    Contrast, hue, brightness, saturation, grayscale and blur, in this order, each with
    its probability. Numbers are drawn once a clip, so all frames change alike. Defaults
    are those of the code of Stable Mean Teacher, except for the blur: there the range
    of sigma goes to a function that takes it for ``(sigma_x, sigma_y)``, which blurs
    along columns only, always alike. Here one sigma for both axes is drawn from it.

    Required Keys:

        - imgs: T frames ``(H, W, 3)`` uint8 RGB of one size

    Modified Keys:

        - imgs

    Added Keys:

        - photometric: what was done, for :func:`apply_photometric`; appended to what
          is there

    Args:
        contrast: Probability, lowest and highest factor.
        hue: Probability, lowest and highest shift, as part of the colour circle.
        brightness: Probability, lowest and highest factor.
        saturation: Probability, lowest and highest factor.
        grayscale: Probability.
        blur: Probability, lowest and highest sigma in pixels.
        released_blur: Take the two numbers for ``sigma_x`` and ``sigma_y``, as the
            released code does.

    Raises:
        ValueError: If a probability or range is none, or the frames are not uint8.
    """

    def __init__(
        self,
        contrast: tuple[float, float, float] = (0.3, 0.6, 1.4),
        hue: tuple[float, float, float] = (0.3, -0.1, 0.1),
        brightness: tuple[float, float, float] = (0.3, 0.6, 1.4),
        saturation: tuple[float, float, float] = (0.3, 0.6, 1.4),
        grayscale: float = 0.4,
        blur: tuple[float, float, float] = (0.5, 0.1, 2.0),
        released_blur: bool = False,
    ) -> None:
        ranges = (contrast, hue, brightness, saturation, (grayscale, 0, 0), blur)
        self.ranges = dict(zip(OPERATIONS, map(tuple, ranges)))
        self.released_blur = released_blur
        for name, (probability, low, high) in self.ranges.items():
            lowest, highest = LOWEST.get(name, 0), HIGHEST.get(name, np.inf)
            if not 0 <= probability <= 1 or not lowest <= low <= high <= highest:
                raise ValueError(
                    f'{name}: expected a probability and a range within '
                    f'[{lowest}, {highest}], got {probability} and [{low}, {high}]'
                )

    def draw(self) -> list[tuple]:
        """Draw what to do with one clip."""
        record = []
        for name, (probability, low, high) in self.ranges.items():
            # both drawn in any case: no outcome moves the numbers of what follows
            chosen = np.random.rand() < probability
            value = float(np.random.uniform(low, high))
            arguments = (value,)
            if name == 'grayscale':
                arguments = ()
            elif name == 'blur':
                arguments = (low, high) if self.released_blur else (value, value)
            if chosen:
                record.append((name, *arguments))
        return record

    def transform(self, results: dict) -> dict:
        """Change all frames alike and record how."""
        record = self.draw()
        clip = np.stack(results['imgs'])
        _check(clip)
        results['imgs'] = list(apply_photometric(clip, record))
        results['photometric'] = [*results.get('photometric', ()), *record]
        return results

    def __repr__(self) -> str:
        listed = ', '.join(f'{name}={value}' for name, value in self.ranges.items())
        return f'{type(self).__name__}({listed}, released_blur={self.released_blur})'
