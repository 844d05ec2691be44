"""Shared by the tests: where the real clips are, and small builders."""

import os
from pathlib import Path

import av
import pytest
import torch
from mmaction.structures import ActionDataSample

from ssvad.geometry import ViewGeometry

ROOT = Path(__file__).resolve().parent.parent
UCF24_MINI = Path(
    os.environ.get('SSVAD_UCF24_MINI', ROOT.parent / 'shared/data/ucf24_mini')
)
# frames of the real clips
CLIPS = {
    'Basketball/v_Basketball_g07_c04': 101,
    'Biking/v_Biking_g01_c01': 151,
    'CliffDiving/v_CliffDiving_g03_c01': 92,
    'Fencing/v_Fencing_g01_c06': 174,
    'HorseRiding/v_HorseRiding_g01_c03': 98,
    'SalsaSpin/v_SalsaSpin_g03_c01': 168,
}


def why_no_clips():
    """What is wrong with the real clips, or nothing; tests must not judge by others."""
    if not UCF24_MINI.is_dir():
        return f'real clips not found at {UCF24_MINI}; set SSVAD_UCF24_MINI'
    for name, expected in CLIPS.items():
        path = UCF24_MINI / f'rgb-videos/{name}.mp4'
        try:
            with av.open(str(path)) as video:
                found = video.streams.video[0].frames
        except (OSError, av.error.FFmpegError) as error:
            found = error
        if found != expected:
            return f'real clip damaged: {path} has {expected} frames, found {found}'
    return ''


needs_ucf24_mini = pytest.mark.skipif(bool(why_no_clips()), reason=why_no_clips())

TINY_DETECTOR = dict(
    type='MaskDetector',
    backbone=dict(
        type='I3D',
        out_endpoints=('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f'),
        width=0.0625,
        bn_momentum=0.1,
    ),
    head=dict(
        type='CapsuleRoutingHead',
        num_classes=3,
        in_channels=(4, 12, 52),
        num_capsules=4,
        kernel_size=3,
        decoder_channels=4,
        dropout=0.0,
    ),
    warmup_epochs=0,
)


def make_sample(label=None, size=32, frames=8, seed=0, views=('base', 'flip')):
    """A data sample as the pipeline packs it; unlabelled without ``label``."""
    sample = ActionDataSample()
    if label is not None:
        sample.set_gt_label(label)
        mask = torch.rand(frames, size, size, generator=torch.manual_seed(seed)) > 0.7
        sample.set_field(mask.byte(), 'gt_mask')
    geometry = {name: ViewGeometry(hflip=name == 'flip') for name in views}
    sample.set_metainfo(dict(video_id=f'v{seed}', views=geometry))
    return sample


def make_batch(labels, size=32, frames=8, seed=0, views=('base', 'flip')):
    """Inputs (B, V, C, T, H, W) in the named views, and their data samples.

    ``flip`` is mirrored, ``strong`` has other colours, every other view is the clip.
    """
    clips = torch.rand(
        len(labels), 3, frames, size, size, generator=torch.manual_seed(seed)
    )
    looks = dict(flip=clips.flip(-1), strong=0.7 * clips.roll(1, 1) + 0.2)
    samples = [
        make_sample(label, size, frames, i, views) for i, label in enumerate(labels)
    ]
    return torch.stack([looks.get(name, clips) for name in views], dim=1), samples
