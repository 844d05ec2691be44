"""Semi-supervised methods, one file each, and what they share."""

from .consistency import SemiSupConsistency
from .semi_detector import SemiDetector
from .step import Step

__all__ = ['SemiDetector', 'SemiSupConsistency', 'Step']
