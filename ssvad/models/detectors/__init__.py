"""Supervised detectors."""

from .mask_detector import MaskDetector

__all__ = ['MaskDetector']
