"""Decoded pictures as arrays."""

from __future__ import annotations

import numpy as np


class ToRGB:
    """Pictures of a decoder as arrays, all of the size and side up of the first."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self.reformatter = VideoReformatter()
        # otherwise a picture is cut up for all cores, which takes longer than the work
        # and disturbs the other workers
        self.options = dict(format='rgb24', threads=1)

    def __call__(self, frame) -> np.ndarray:
        """Give (height, width, 3) uint8 of a frame."""
        self.options.setdefault('width', frame.width)
        self.options.setdefault('height', frame.height)
        picture = self.reformatter.reformat(frame, **self.options)
        # phones store pictures lying on their side
        return np.rot90(picture.to_ndarray(), round(frame.rotation / 90) % 4)
