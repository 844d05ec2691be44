"""Evaluation of whole videos: capsule-protocol recall, standard f-/v-mAP, J&F."""

from .frame_video_map import FrameVideoMAP
from .pseudo_label_writer import PseudoLabelWriter
from .vos_metric import VOSMetric

__all__ = ['FrameVideoMAP', 'PseudoLabelWriter', 'VOSMetric']
