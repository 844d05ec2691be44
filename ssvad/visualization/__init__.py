"""Pictures of detections, training batches and evaluations."""

from .detection_picture_hook import DetectionPictureHook
from .view_picture_hook import ViewPictureHook

__all__ = ['DetectionPictureHook', 'ViewPictureHook']
