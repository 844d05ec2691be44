"""Masks of single frames: in source pixels, as run lengths, and kept on disk."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np


def mask_in_source(
    mask: np.ndarray, crop_quadruple: Sequence[float], original_shape: Sequence[int]
) -> np.ndarray:
    """Lay a mask over the source frame.

    Args:
        mask: (H, W) bool, as the network saw the frame.
        crop_quadruple: x, y, w, h of that as fractions of the source frame.
        original_shape: (h, w) of the source frame in pixels.

    Returns:
        (h, w) bool, false outside the crop; a pixel has the value of the mask at its
        centre.
    """
    height, width = original_shape
    x, y, w, h = (float(value) for value in crop_quadruple)
    columns = _sampled(width, x, w, mask.shape[1])
    rows = _sampled(height, y, h, mask.shape[0])
    inside = (columns >= 0) & (columns < mask.shape[1])
    inside = inside & ((rows >= 0) & (rows < mask.shape[0]))[:, None]
    near = (
        np.clip(rows, 0, mask.shape[0] - 1)[:, None],
        np.clip(columns, 0, mask.shape[1] - 1),
    )
    return mask[near] & inside


def _sampled(length: int, offset: float, extent: float, size: int) -> np.ndarray:
    """For the pixels of an axis the pixel of the mask that their centre lies in."""
    centres = (np.arange(length) + 0.5) / length
    # crops are stored in single precision: keep centres off the borders of pixels
    return np.floor((centres - offset) / extent * size + 1e-4).astype(int)


def encode_rle(mask: np.ndarray) -> dict:
    """Run lengths of a mask as COCO has them, not compressed.

    ``pycocotools.mask.frPyObjects`` reads them.

    Args:
        mask: (h, w) bool.

    Returns:
        ``size`` [h, w] and ``counts``: lengths of the runs, column after column,
        beginning with the background, 0 if there is none.
    """
    flat = np.asarray(mask, bool).ravel(order='F')
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff([0, *changes.tolist(), len(flat)])
    return dict(size=list(mask.shape), counts=counts.tolist())


def decode_rle(rle: dict) -> np.ndarray:
    """The mask (h, w) bool that :func:`encode_rle` was given.

    Raises:
        ValueError: if the runs are not as long as the mask.
    """
    height, width = rle['size']
    counts = np.asarray(rle['counts'], int)
    if counts.sum() != height * width:
        raise ValueError(
            f'runs of {counts.sum()} pixels are no mask of {height} x {width}'
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(height, width, order='F')


class Spool:
    """Masks or pictures of a long video, kept in a file that deletes itself.

    They come back in the order in which they went in, from the first on.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    def keep_masks(self, masks: Iterable[np.ndarray]) -> None:
        """Keep masks (h, w) bool."""
        for mask in masks:
            self._add(zlib.compress(np.packbits(mask).tobytes(), 1), mask.shape)

    def masks(self) -> Iterator[np.ndarray]:
        """The masks."""
        for data, shape in self._records():
            bits = np.frombuffer(zlib.decompress(data), np.uint8)
            yield np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape) > 0

    def keep_pictures(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Keep frames (h, w, 3) uint8 as they pass, as JPEG: nearly as they were."""
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
        for frame in frames:
            _, data = cv2.imencode('.jpg', frame[..., ::-1], quality)
            self._add(data.tobytes(), frame.shape)
            yield frame

    def pictures(self) -> Iterator[np.ndarray]:
        """The frames."""
        for data, _ in self._records():
            frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            yield frame[..., ::-1]

    def _add(self, data: bytes, shape: Sequence[int]) -> None:
        head = np.array([len(data), *shape[:2]], np.int64)
        self._file.write(head.tobytes() + data)

    def _records(self) -> Iterator[tuple[bytes, tuple[int, int]]]:
        self._file.seek(0)
        while head := self._file.read(24):
            size, height, width = np.frombuffer(head, np.int64).tolist()
            yield self._file.read(size), (height, width)
