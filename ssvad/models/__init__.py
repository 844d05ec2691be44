"""Backbones, heads, detectors, losses and semi-supervised methods."""

from .backbones import I3D, AdaptedBackbone
from .detectors import MaskDetector
from .heads import CapsuleRoutingHead, DetOutput, ErrorRecovery
from .losses import (
    CyclicVariance,
    GradientSmoothness,
    MaskLoss,
    SpreadLoss,
    TemporalVariance,
)
from .optional_pretrained import OptionalPretrained
from .semi import (
    CEPM,
    CSD,
    ISD,
    ClassFeatureEnhancement,
    FFTMeanTeacher,
    MeanTeacher,
    MixMatch,
    PseudoLabel,
    SemiDetector,
    SemiMethod,
    SemiSupConsistency,
    StableMeanTeacher,
    Step,
    Teacher,
)

__all__ = [
    'CEPM',
    'CSD',
    'I3D',
    'ISD',
    'AdaptedBackbone',
    'CapsuleRoutingHead',
    'ClassFeatureEnhancement',
    'CyclicVariance',
    'DetOutput',
    'ErrorRecovery',
    'FFTMeanTeacher',
    'GradientSmoothness',
    'MaskDetector',
    'MaskLoss',
    'MeanTeacher',
    'MixMatch',
    'OptionalPretrained',
    'PseudoLabel',
    'SemiDetector',
    'SemiMethod',
    'SemiSupConsistency',
    'SpreadLoss',
    'StableMeanTeacher',
    'Step',
    'Teacher',
    'TemporalVariance',
]
