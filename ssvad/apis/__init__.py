"""Using a trained detector on videos."""

from .masks import decode_rle, encode_rle
from .streaming import MeanScores, StreamedBlock, stream_video
from .tube_inferencer import TubeInferencer

__all__ = [
    'MeanScores',
    'StreamedBlock',
    'TubeInferencer',
    'decode_rle',
    'encode_rle',
    'stream_video',
]
