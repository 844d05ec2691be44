"""Using a trained detector on videos."""

from .frames import iterate_frames
from .streaming import MeanScores, StreamedBlock, stream_video

__all__ = ['MeanScores', 'StreamedBlock', 'iterate_frames', 'stream_video']
