"""Evaluation of whole videos: capsule-protocol recall, standard f-/v-mAP, J&F."""

from .frame_video_map import FrameVideoMAP
from .vos_metric import VOSMetric

__all__ = ['FrameVideoMAP', 'VOSMetric']
