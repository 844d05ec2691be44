"""Datasets, transforms and samplers; importing registers them."""

from .clip_sampling import SampleTubeClip, SampleWholeVideo
from .cover_crops import CoverCrops
from .frame_cache import OpenFrameCache
from .mixed_sampler import MixedSampler
from .photometric import StrongPhotometric
from .temporal_views import RandomTiming
from .tube_dataset import TubeDataset
from .tube_masks import AlignMask, DropLabels, TubesToMask
from .video_decode import OpenVideo
from .video_folder import CountFrames, VideoFolder
from .views import PairedViews
from .worker_seed import seed_worker

__all__ = [
    'AlignMask',
    'CountFrames',
    'CoverCrops',
    'DropLabels',
    'MixedSampler',
    'OpenFrameCache',
    'OpenVideo',
    'PairedViews',
    'RandomTiming',
    'SampleTubeClip',
    'SampleWholeVideo',
    'StrongPhotometric',
    'TubeDataset',
    'TubesToMask',
    'VideoFolder',
    'seed_worker',
]
