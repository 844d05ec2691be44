"""Using a trained detector on videos."""

from .streaming import MeanScores, StreamedBlock, stream_video

__all__ = ['MeanScores', 'StreamedBlock', 'stream_video']
