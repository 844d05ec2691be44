"""Supervised losses and consistency attention."""

from .attention import CyclicVariance, GradientSmoothness
from .supervised import MaskLoss, SpreadLoss

__all__ = ['CyclicVariance', 'GradientSmoothness', 'MaskLoss', 'SpreadLoss']
