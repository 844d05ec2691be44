"""Small videos and a detector that finds what is bright."""

import av
import numpy as np
import torch
from mmengine.model import BaseModel
from torch import nn

from ssvad.models import DetOutput

PREPROCESSOR = dict(
    type='mmaction.ActionDataPreprocessor',
    mean=[0.0, 0.0, 0.0],
    std=[255.0, 255.0, 255.0],
    format_shape='NCTHW',
)


class Bright(BaseModel):
    """Foreground where the picture is brighter than grey; scores are mean colours."""

    def __init__(self):
        super().__init__(PREPROCESSOR)
        self.steepness = nn.Parameter(torch.tensor(20.0))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        mask = self.steepness * (inputs.mean(1) - 0.5)
        return DetOutput(mask, inputs.mean((2, 3, 4)), None)


def noise(count, height=48, width=64, seed=0):
    """(F, H, W, 3) uint8, coarse enough to survive compression, never still."""
    rng = np.random.RandomState(seed)
    coarse = rng.randint(0, 256, (count, height // 8, width // 8, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def encode(path, frames, container_options=None, **options):
    """Write H.264 as other programs do, with options of the muxer and of x264."""
    with av.open(str(path), 'w', container_options=container_options or {}) as out:
        stream = out.add_stream('libx264', rate=25, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        out.mux(stream.encode(None))
