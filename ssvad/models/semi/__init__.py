"""Semi-supervised methods, one file each, and what they share."""

from .cepm import CEPM
from .class_feature_enhancement import ClassFeatureEnhancement
from .consistency import SemiSupConsistency
from .csd import CSD
from .fft_mean_teacher import FFTMeanTeacher
from .isd import ISD
from .mean_teacher import MeanTeacher
from .method import SemiMethod
from .mixmatch import MixMatch
from .pseudo_label import PseudoLabel
from .semi_detector import SemiDetector
from .stable_mean_teacher import StableMeanTeacher
from .step import Step
from .teacher import Teacher

__all__ = [
    'CEPM',
    'CSD',
    'ISD',
    'ClassFeatureEnhancement',
    'FFTMeanTeacher',
    'MeanTeacher',
    'MixMatch',
    'PseudoLabel',
    'SemiDetector',
    'SemiMethod',
    'SemiSupConsistency',
    'StableMeanTeacher',
    'Step',
    'Teacher',
]
