"""Whole pipelines, from video files to batches."""

import copy
import random

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import ConcatDataset, pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import ssvad.datasets  # noqa: F401  registers the classes
from ssvad.annotations import save_annotations
from ssvad.geometry import ViewGeometry, to_original
from ssvad.video_io import write_video
from tests.helpers import UCF24_MINI, needs_ucf24_mini

FRAMES, HEIGHT, WIDTH = 40, 48, 64
META = ('video_id', 'views', 'crop_quadruple', 'flip', 'frame_inds')

load = [
    dict(type='SampleTubeClip', clip_len=8, frame_interval=2),
    dict(type='OpenVideo'),
    dict(type='DecordDecode'),
]
finish = [
    dict(type='AlignMask'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('gt_mask',), meta_keys=META),
]
crop_and_views = [dict(type='RandomCrop', size=32), dict(type='PairedViews')]
labelled = [*load, dict(type='TubesToMask'), *crop_and_views, *finish]
unlabelled = [*load, dict(type='DropLabels'), *crop_and_views, *finish]
whole_video = [
    dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
    dict(type='OpenVideo'),
    dict(type='DecordDecode'),
    dict(type='TubesToMask'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='AlignMask'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(
        type='PackActionInputs',
        algorithm_keys=('gt_mask',),
        meta_keys=(
            *('video_id', 'total_frames', 'frame_inds', 'frame_valid'),
            *('original_shape', 'crop_quadruple', 'gt_tubes', 'tube_labels'),
        ),
    ),
]


def moving_box(index, name):
    """A white box on black and its tube: the frames are their own ground truth."""
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    boxes = []
    for f in range(4, 36):
        x, y = 8 + f // 2 * 2 % 24, 10 + 4 * index
        frames[f, y : y + 20, x : x + 28] = 255
        boxes.append([x, y, x + 28, y + 20])
    tube = dict(label=index % 2, start=4, boxes=boxes)
    size = dict(width=WIDTH, height=HEIGHT, num_frames=FRAMES)
    return frames, dict(id=name, file=f'{name}.mp4', tubes=[tube], **size)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp('boxes')
    videos = []
    for index, name in enumerate(('left', 'right')):
        frames, video = moving_box(index, name)
        write_video(path / video['file'], frames, 25, crf=4)
        videos.append(video)
    save_annotations(path / 'annotations.json', ['even', 'odd'], videos)
    return path


@pytest.fixture(autouse=True)
def seeds():
    random.seed(0)
    np.random.seed(0)


def dataset(root, pipeline, **kwargs):
    cfg = dict(
        type='TubeDataset',
        ann_file=str(root / 'annotations.json'),
        data_prefix=dict(video=str(root)),
        pipeline=copy.deepcopy(pipeline),
        **kwargs,
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(cfg)


def bright(inputs):
    """``(..., C, T, H, W)`` uint8 to ``(..., T, H, W)`` bool."""
    return inputs.float().mean(-4) > 127


@pytest.mark.parametrize('seed', range(4))
def test_labelled_clip(root, seed):
    np.random.seed(seed)
    item = dataset(root, labelled)[1]
    inputs, sample = item['inputs'], item['data_samples']
    assert inputs.shape == (2, 3, 8, 32, 32) and inputs.dtype == torch.uint8
    assert sample.gt_label.tolist() == [1]
    assert sample.gt_mask.dtype == torch.uint8 and sample.gt_mask.shape == (8, 32, 32)
    assert sample.gt_mask.any()
    assert set(sample.metainfo) <= set(META) and sample.video_id == 'right'
    # box edges are even, chroma and compression blur none of them by a pixel
    base, flip = bright(inputs)
    assert (base == sample.gt_mask.bool()).float().mean() > 0.999
    views = sample.metainfo['views']
    assert list(views) == ['base', 'flip']
    assert torch.equal(flip, base.flip(-1))
    back, _ = to_original(flip[None].float(), [views['flip']])
    assert torch.equal(back[0].bool(), base)


def test_shared_flip_and_cropping_view(root):
    np.random.seed(5)
    views = dict(
        type='PairedViews',
        base=[],
        zoom=[
            dict(type='RandomResizedCrop', area_range=(0.5, 0.6)),
            dict(type='Resize', scale=(32, 32), keep_ratio=False),
            dict(type='Flip', flip_ratio=1.0),
        ],
    )
    shared = [dict(type='RandomCrop', size=32), dict(type='Flip', flip_ratio=1.0)]
    pipeline = [*load, dict(type='TubesToMask'), *shared, views, *finish]
    item = dataset(root, pipeline)[0]
    sample = item['data_samples']
    base, zoom = bright(item['inputs'])
    assert (base == sample.gt_mask.bool()).float().mean() > 0.999
    view = sample.metainfo['views']['zoom']
    assert view.hflip and view.crop != ViewGeometry().crop
    back, valid = to_original(zoom[None].float(), [view])
    wrong = (back[0] > 0.5) != base
    assert (wrong & valid[0]).float().mean() < 0.02
    assert sample.metainfo['flip']


def test_unlabelled_clip_carries_no_ground_truth(root):
    item = dataset(root, unlabelled)[0]
    assert item['inputs'].shape == (2, 3, 8, 32, 32)
    sample = item['data_samples']
    assert not [key for key in sample.all_keys() if 'gt' in key or 'label' in key]


@pytest.mark.parametrize('poison', [np.nan, 1e9, -3.0])
def test_poisoned_ground_truth_changes_nothing(root, poison):
    def spoil(results):
        results['gt_tubes'] = np.full_like(results['gt_tubes'], poison)
        results['tube_labels'] = results['tube_labels'] + 99
        results['label'] = -7
        return results

    sample, *rest = unlabelled
    items = []
    for pipeline in (unlabelled, [sample, spoil, *rest]):
        np.random.seed(8)
        items.append(dataset(root, pipeline)[1])
    assert torch.equal(items[0]['inputs'], items[1]['inputs'])
    first, second = (item['data_samples'] for item in items)
    assert first.all_keys() == second.all_keys()
    assert first.metainfo['views'] == second.metainfo['views']
    for key in ('frame_inds', 'crop_quadruple'):
        assert np.array_equal(first.metainfo[key], second.metainfo[key])


def test_whole_video(root):
    item = dataset(root, whole_video, test_mode=True)[0]
    inputs, sample = item['inputs'], item['data_samples']
    clips = 6
    assert inputs.shape == (clips, 3, 8, 32, 32) and inputs.dtype == torch.uint8
    assert sample.gt_mask.shape == (clips * 8, 32, 32)
    meta = sample.metainfo
    assert meta['frame_inds'].shape == meta['frame_valid'].shape == (clips * 8,)
    assert meta['gt_tubes'].shape == (1, FRAMES, 4) and meta['total_frames'] == FRAMES
    assert tuple(meta['original_shape']) == (HEIGHT, WIDTH)
    np.testing.assert_allclose(meta['crop_quadruple'], [16 / 64, 8 / 48, 0.5, 32 / 48])
    valid = torch.from_numpy(meta['frame_valid'])
    shown = bright(inputs).reshape(-1, 32, 32)
    agree = (shown == sample.gt_mask.bool())[valid].float().mean()
    assert agree > 0.999
    assert not sample.gt_mask[~valid].any()
    annotated = sample.gt_mask.bool().flatten(1).any(1)
    assert set(meta['frame_inds'][annotated.numpy()]) == set(range(4, 36))


def test_batches_hold_the_ratio(root):
    parts = [dataset(root, labelled, indices=1), dataset(root, unlabelled)]
    loader = Runner.build_dataloader(
        dict(
            dataset=ConcatDataset(parts),
            sampler=dict(type='mmaction.MixedSampler', ratio=(1, 1)),
            batch_size=4,
            num_workers=1,
            collate_fn=dict(type='pseudo_collate'),
            worker_init_fn=dict(type='seed_worker'),
        ),
        seed=1,
    )
    (batch,) = list(loader)
    assert len(batch['inputs']) == 4
    has_label = ['gt_label' in sample for sample in batch['data_samples']]
    has_mask = ['gt_mask' in sample for sample in batch['data_samples']]
    assert has_label == has_mask == [True, False, True, False]
    names = [sample.video_id for sample in batch['data_samples']]
    assert names[::2] == ['left', 'left'] and set(names[1::2]) == {'left', 'right'}


@pytest.mark.slow
@needs_ucf24_mini
def test_real_clip(tmp_path):
    name = 'Basketball/v_Basketball_g07_c04'
    tube = dict(label=0, start=10, boxes=[[100, 50, 220.5, 200]] * 80)
    size = dict(width=320, height=240, num_frames=101)
    video = dict(id=name, file=f'{name}.mp4', tubes=[tube], **size)
    save_annotations(tmp_path / 'annotations.json', ['Basketball'], [video])
    pipeline = copy.deepcopy(labelled)
    pipeline[pipeline.index(dict(type='RandomCrop', size=32))]['size'] = 224
    cfg = dict(
        type='TubeDataset',
        ann_file=str(tmp_path / 'annotations.json'),
        data_prefix=dict(video=str(UCF24_MINI / 'rgb-videos')),
        pipeline=pipeline,
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        real = DATASETS.build(cfg)
    batch = pseudo_collate([real[0], real[0]])
    sample = batch['data_samples'][0]
    assert batch['inputs'][0].shape == (2, 3, 8, 224, 224)
    assert (batch['inputs'][0].float().std((1, 3, 4)) > 10).all()
    assert sample.gt_mask[0].sum() > 0
    left = sample.metainfo['crop_quadruple'][0] * 320
    columns = torch.nonzero(sample.gt_mask.flatten(0, 1).any(0)).flatten()
    # 220.5 covers the centre of no further pixel
    assert columns.min().item() == pytest.approx(max(0, 100 - left), abs=1e-3)
    assert columns.max().item() == pytest.approx(min(223, 219 - left), abs=1e-3)
