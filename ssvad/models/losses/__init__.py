"""Supervised losses and what the consistency between views is made of."""

from .attention import CyclicVariance, GradientSmoothness, TemporalVariance
from .supervised import MaskLoss, SpreadLoss

__all__ = [
    'CyclicVariance',
    'GradientSmoothness',
    'MaskLoss',
    'SpreadLoss',
    'TemporalVariance',
]
