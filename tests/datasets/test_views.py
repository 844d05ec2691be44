import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS

from ssvad.datasets.photometric import apply_photometric
from ssvad.datasets.tube_masks import AlignMask
from ssvad.datasets.views import PairedViews
from ssvad.geometry import ViewGeometry, to_view

HEIGHT, WIDTH, FRAMES = 24, 32, 3
FLIP = dict(type='Flip', flip_ratio=1.0)
NEVER = (0, 0, 0)
STRONG = dict(  # contrast and blur, always
    type='StrongPhotometric',
    contrast=(1, 0.6, 1.4),
    hue=NEVER,
    brightness=NEVER,
    saturation=NEVER,
    grayscale=0,
    blur=(1, 0.1, 2.0),
)
ZOOM = [
    dict(type='RandomResizedCrop', area_range=(0.3, 0.9)),
    dict(type='Resize', scale=(WIDTH, HEIGHT), keep_ratio=False),
]


def sample(seed=0, smooth=False):
    generator = np.random.default_rng(seed)
    if smooth:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        frame = 128 + 60 * np.sin(rows / 6 + seed) + 60 * np.cos(columns / 7)
        frames = np.repeat(frame[None, :, :, None], 3, axis=3).astype(np.uint8)
        frames = np.repeat(frames, FRAMES, axis=0)
    else:
        shape = (FRAMES, HEIGHT, WIDTH, 3)
        frames = generator.integers(0, 256, shape, dtype=np.uint8)
    return dict(
        imgs=list(frames),
        img_shape=(HEIGHT, WIDTH),
        original_shape=(HEIGHT, WIDTH),
        modality='RGB',
        clip_len=FRAMES,
        num_clips=1,
    )


def test_the_default_is_the_flip_pair():
    before = sample()
    frames = np.stack(before['imgs'])
    results = PairedViews()(before)
    assert results['views'] == dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
    seen = np.stack(results['imgs'])
    assert np.array_equal(seen[:FRAMES], frames)
    assert np.array_equal(seen[FRAMES:], frames[:, :, ::-1])
    formatted = TRANSFORMS.build(dict(type='FormatShape', input_format='NCTHW'))
    assert formatted(results)['imgs'].shape == (2, 3, FRAMES, HEIGHT, WIDTH)


@pytest.mark.parametrize('order', [('base', 'flip'), ('flip', 'base')])
def test_frames_given_in_are_left_alone(order):
    before = sample()
    frames = before['imgs']
    copies = copy.deepcopy(frames)
    lists = dict(base=[], flip=[FLIP])
    results = PairedViews(**{name: lists[name] for name in order})(before)
    assert list(results['views']) == list(order)
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies))
    start = order.index('base') * FRAMES
    base = results['imgs'][start : start + FRAMES]
    assert all(np.array_equal(a, b) for a, b in zip(base, copies))


@given(seed=st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_geometry_tells_what_the_frames_show(seed):
    np.random.seed(seed)
    random.seed(seed)
    source = sample(seed % 7, smooth=True)
    frame = torch.from_numpy(source['imgs'][0][..., 0].copy()).float()[None, None]
    maybe = dict(type='Flip', flip_ratio=0.5)
    results = PairedViews(weak=[maybe], zoom=[*ZOOM, maybe], same=[])(source)
    assert results['img_shape'] == (HEIGHT, WIDTH)
    for index, view in enumerate(results['views'].values()):
        shown = results['imgs'][index * FRAMES][..., 0].astype(np.float32)
        expected = to_view(frame, [view])[0, 0].numpy()
        assert np.abs(shown - expected).max() < 1.01


def test_views_draw_their_own_numbers():
    np.random.seed(0)
    results = PairedViews(a=ZOOM, b=ZOOM)(sample())
    assert results['views']['a'].crop != results['views']['b'].crop


def test_records_of_a_view_do_not_leak():
    np.random.seed(1)
    source = TRANSFORMS.build(dict(type='CenterCrop', crop_size=20))(sample())
    source['flip'], source['flip_direction'] = True, 'horizontal'
    shared = source['crop_quadruple'].copy()
    inner = [dict(type='RandomCrop', size=12), dict(type='Resize', scale=(20, 20))]
    results = PairedViews(base=[], other=[*inner, FLIP])(source)
    assert np.array_equal(results['crop_quadruple'], shared)
    assert results['flip'] is True
    assert results['views']['other'].hflip and not results['views']['base'].hflip
    assert results['views']['other'].crop[2:] == pytest.approx((12 / 20, 12 / 20))
    assert 'scale_factor' not in results and 'label' not in results


@pytest.mark.parametrize('shared_flip', [0.0, 1.0])
@pytest.mark.parametrize('with_views', [False, True])
def test_mask_lies_in_the_shared_frame(shared_flip, with_views):
    np.random.seed(2)
    source = sample()
    source['gt_mask'] = np.stack(source['imgs'])[..., 0].copy()
    for cfg in (
        dict(type='RandomCrop', size=16),
        dict(type='Flip', flip_ratio=shared_flip),
    ):
        source = TRANSFORMS.build(cfg)(source)
    shared = np.stack(source['imgs'])[..., 0].copy()
    if with_views:
        source = PairedViews(flip=[FLIP], base=[])(source)
        assert source['views'] == dict(
            flip=ViewGeometry(hflip=True), base=ViewGeometry()
        )
    assert np.array_equal(AlignMask()(source)['gt_mask'].numpy(), shared)


def test_mask_has_the_size_of_the_views():
    source = sample()
    source['gt_mask'] = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    source['gt_mask'][:, 12:, :16] = 1
    half = dict(type='Resize', scale=(WIDTH // 2, HEIGHT // 2), keep_ratio=False)
    results = AlignMask()(PairedViews(base=[half])(source))
    expected = torch.zeros(FRAMES, HEIGHT // 2, WIDTH // 2, dtype=torch.uint8)
    expected[:, 6:, :8] = 1
    assert torch.equal(results['gt_mask'], expected)


def test_two_flips_are_none():
    source = sample()
    frames = np.stack(source['imgs'])
    results = PairedViews(twice=[FLIP, FLIP])(source)
    assert results['views']['twice'] == ViewGeometry()
    assert np.array_equal(np.stack(results['imgs']), frames)


def test_a_view_that_gives_up_skips_the_sample():
    assert PairedViews(base=[], bad=[lambda results: None])(sample()) is None


CROP = dict(type='RandomCrop', size=16)


@pytest.mark.parametrize('seed', [0, 1, 2])
@pytest.mark.parametrize(
    'views, message',
    [
        (dict(base=[], small=[CROP]), r"'base' at 24x32, 'small' at 16x16.*Resize"),
        (
            dict(odd=[dict(type='Flip', flip_ratio=0.5), CROP]),
            "'odd': RandomCrop crops after a flip.*Flip last",
        ),
        (dict(up=[dict(FLIP, direction='vertical', flip_ratio=0.5)]), "'up'.*vertical"),
        (dict(late=[dict(FLIP, lazy=True)]), "'late': lazy"),
        (dict(three=[dict(type='ThreeCrop', crop_size=24)]), "'three': 3 frames.*9"),
    ],
)
def test_errors_name_the_view(views, message, seed):
    np.random.seed(seed)
    with pytest.raises(ValueError, match=message):
        PairedViews(**views)(sample())


def test_lazy_frames_are_refused():
    source = TRANSFORMS.build(dict(CROP, lazy=True))(sample())
    with pytest.raises(ValueError, match='Fuse'):
        PairedViews()(source)


def test_the_strong_view_differs_in_colours_only():
    np.random.seed(3)
    source = sample()
    frames = np.stack(source['imgs'])
    results = PairedViews(weak=[], strong=[STRONG])(source)
    weak, strong = np.stack(results['imgs']).reshape(2, *frames.shape)
    assert results['views'] == dict(weak=ViewGeometry(), strong=ViewGeometry())
    record = results['photometric']
    assert record['weak'] == [] and len(record['strong']) == 2
    assert np.array_equal(weak, frames) and not np.array_equal(strong, frames)
    assert np.array_equal(apply_photometric(frames, record['strong']), strong)


def test_colours_of_each_view_are_recorded_from_the_start():
    np.random.seed(3)
    source = sample()
    frames = np.stack(source['imgs'])
    source = TRANSFORMS.build(STRONG)(source)
    shared = source['photometric']
    results = PairedViews(a=[STRONG], b=[], c=[STRONG, FLIP])(source)
    record = results['photometric']
    assert record['b'] == shared and record['a'][:2] == shared == record['c'][:2]
    assert len(record['a']) == 4 and record['a'] != record['c']
    assert results['views']['c'] == ViewGeometry(hflip=True)
    seen = np.stack(results['imgs']).reshape(3, *frames.shape)
    assert np.array_equal(apply_photometric(frames, record['a']), seen[0])
    assert np.array_equal(apply_photometric(frames, record['b']), seen[1])
    assert np.array_equal(apply_photometric(frames, record['c'])[:, :, ::-1], seen[2])


def test_without_changes_of_colour_there_is_no_record():
    assert 'photometric' not in PairedViews()(sample())
