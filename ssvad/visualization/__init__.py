"""Pictures of detections, training batches and evaluations."""

from .detection_picture_hook import DetectionPictureHook
from .mlflow_backend import MLflowVisBackend
from .view_picture_hook import ViewPictureHook

__all__ = ['DetectionPictureHook', 'MLflowVisBackend', 'ViewPictureHook']
