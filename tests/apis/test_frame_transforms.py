import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.datasets.transforms import FormatShape
from mmengine.config import Config

from ssvad.apis import stream_video
from ssvad.apis.frame_transforms import fit_whole_frame, stream_settings
from tests.apis.videos import Bright, noise
from tests.helpers import ROOT


@pytest.mark.parametrize(
    'name, expected',
    [
        ('ucf24_semi_var', ['CenterCrop']),
        ('jhmdb21_sup', ['Resize', 'CenterCrop']),
        ('toy_sup', ['CenterCrop']),
    ],
)
def test_configs_give_what_happens_to_frames(name, expected):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    settings = stream_settings(cfg.test_dataloader.dataset.pipeline)
    assert [t['type'] for t in settings.pop('transforms')] == expected
    assert settings == dict(clip_len=8, frame_interval=2)


def test_layout_is_the_sampler_s_and_types_may_be_classes():
    pipeline = [
        dict(type='SampleWholeVideo', clip_len=16, frame_interval=3),
        dict(type='mmaction.DecordDecode'),
        dict(type='TubesToMask'),
        dict(type='Resize', scale=(40, 40)),
        dict(type='ssvad.AlignMask'),
        dict(type=FormatShape, input_format='NCTHW'),
    ]
    settings = stream_settings(pipeline)
    assert settings == dict(clip_len=16, frame_interval=3, transforms=pipeline[3:4])


@pytest.mark.parametrize('left_out', range(3))
def test_other_pipelines_are_refused(left_out):
    names = ['SampleWholeVideo', 'DecordDecode', 'FormatShape']
    del names[left_out]
    with pytest.raises(ValueError, match=f'got {names}'.replace('[', r'\[')):
        stream_settings([dict(type=name) for name in names])


@given(st.integers(8, 90), st.integers(20, 120), st.integers(20, 120))
def test_the_whole_frame_fits(short_side, height, width):
    frames = [np.zeros((height, width, 3), np.uint8)]
    results = dict(imgs=frames, img_shape=(height, width), modality='RGB')
    results = fit_whole_frame(short_side)(results)
    sides = np.array(results['imgs'][0].shape[:2])
    assert tuple(sides) == tuple(results['img_shape'])
    assert (sides % 8 == 0).all() and abs(sides.min() - short_side) <= 4
    exact = np.array([height, width]) * short_side / min(height, width)
    assert (np.abs(sides - exact) <= 4).all()
    assert 'crop_quadruple' not in results


def test_streams_see_the_whole_frame():
    frames = noise(9, 48, 72)
    (block,) = stream_video(Bright().eval(), frames, [fit_whole_frame(32)])
    assert block.mask.shape == (9, 32, 48)
    assert block.crop_quadruple.tolist() == [0, 0, 1, 1]
    assert block.original_shape == (48, 72)


def test_too_small_is_refused():
    with pytest.raises(ValueError, match='at least 8 pixels, got 7'):
        fit_whole_frame(7)
