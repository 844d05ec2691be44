"""Backbones, heads, detectors, losses and semi-supervised methods."""

from .backbones import I3D
from .detectors import MaskDetector
from .heads import CapsuleRoutingHead, DetOutput
from .losses import (
    CyclicVariance,
    GradientSmoothness,
    MaskLoss,
    SpreadLoss,
    TemporalVariance,
)
from .optional_pretrained import OptionalPretrained
from .semi import SemiDetector, SemiSupConsistency, Step

__all__ = [
    'I3D',
    'CapsuleRoutingHead',
    'CyclicVariance',
    'DetOutput',
    'GradientSmoothness',
    'MaskDetector',
    'MaskLoss',
    'OptionalPretrained',
    'SemiDetector',
    'SemiSupConsistency',
    'SpreadLoss',
    'Step',
    'TemporalVariance',
]
