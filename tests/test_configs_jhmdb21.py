"""Squeezing frames to 256 x 256 keeps masks and boxes on the pixels (JHMDB-21)."""

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ssvad.annotations import save_annotations, save_masks, write_split
from ssvad.evaluation import FrameVideoMAP
from ssvad.video_io import write_video
from tests.helpers import ROOT

FRAMES, HEIGHT, WIDTH = 20, 240, 320


def silhouettes():
    """An arch that moves, in boxes more than half empty; and these boxes."""
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    boxes = []
    for f in range(FRAMES):
        x1, y1, x2, y2 = 50 + 5 * f, 30 + 3 * f, 150 + 5 * f, 110 + 4 * f
        masks[f, y1:y2, x1:x2] = 1
        masks[f, y1 + 20 : y2, x1 + 20 : x2 - 8] = 0
        boxes.append([x1, y1, x2, y2])
    return masks, boxes


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The config on two videos of a white silhouette that moves over black."""
    root = tmp_path_factory.mktemp('jhmdb21')
    masks, boxes = silhouettes()
    size = dict(width=WIDTH, height=HEIGHT, num_frames=FRAMES)
    tube = dict(label=1, start=0, boxes=boxes)
    videos = [
        dict(id=name, file=f'{name}.mp4', masks=f'{name}.npz', tubes=[tube], **size)
        for name in 'ab'
    ]
    frames = np.repeat(masks[..., None] * 255, 3, axis=3)
    for video in videos:
        write_video(root / 'ReCompress_Videos' / video['file'], frames, crf=4)
        save_masks(root / 'masks' / video['masks'], masks)
    save_annotations(root / 'annotations.json', ['still', 'moving'], videos)
    write_split(root / 'splits/30_seed47/labeled.txt', ['a'])
    write_split(root / 'splits/30_seed47/unlabeled.txt', ['b'])
    write_split(root / 'splits/test.txt', ['a'])
    init_default_scope('mmaction')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SSVAD_JHMDB21', str(root))
        patch.delenv('SSVAD_SPLIT', raising=False)
        return Config.fromfile(ROOT / 'configs/jhmdb21_semi_var.py')


@pytest.fixture(scope='module')
def whole_video(config):
    """Inputs and data sample of the test video."""
    item = DATASETS.build(config.test_dataloader.dataset)[0]
    return item['inputs'], item['data_samples']


def squeezed(masks):
    """Masks at 256 x 256, every pixel the one of the source below its centre."""
    nearest = cv2.INTER_NEAREST_EXACT
    return np.stack([cv2.resize(m, (256, 256), interpolation=nearest) for m in masks])


def bright(clip):
    """Where a uint8 clip (C, T, H, W) is white: (T, H, W) bool."""
    return clip.float().mean(0) > 127


def assert_same_but_for_edges(mask, seen):
    """Scaling blurs the edge of the actor by a pixel; everything else must agree."""
    inner = torch.nn.functional.max_pool2d(1 - mask.float(), 3, 1, 1) == 0
    outer = torch.nn.functional.max_pool2d(mask.float(), 3, 1, 1) > 0
    assert inner.any(-1).any(-1).all()
    assert seen[inner].all() and not seen[~outer].any()


def test_training_masks_lie_on_the_pixels(config):
    dataset = DATASETS.build(config.train_dataloader.dataset)
    for seed in range(5):
        np.random.seed(seed)
        item = dataset[0]
        assert item['inputs'].shape == (2, 3, 8, 224, 224)
        base, flip = map(bright, item['inputs'])
        mask = item['data_samples'].gt_mask
        assert_same_but_for_edges(mask, base)
        assert_same_but_for_edges(mask.flip(-1), flip)


def test_training_masks_are_squeezed_and_cropped_pixel_for_pixel(config):
    labeled = dict(config.train_dataloader.dataset.datasets[0])
    record = []
    labeled['pipeline'] = [*labeled['pipeline'][:-1], lambda r: record.append(r) or r]
    dataset = DATASETS.build(labeled)
    expected = squeezed(silhouettes()[0])
    for seed in range(5):
        np.random.seed(seed)
        results = dataset[0]
        x, y, width, height = np.multiply(results['crop_quadruple'], 256).round(3)
        assert (width, height) == (224, 224) and x == int(x) and y == int(y)
        rows, columns = slice(int(y), int(y) + 224), slice(int(x), int(x) + 224)
        mask = expected[results['frame_inds'], rows, columns]
        assert np.array_equal(results['gt_mask'].numpy(), mask)
    corners = {tuple(results['crop_quadruple'][:2]) for results in record}
    assert len(corners) == 5


def test_unlabelled_clips_carry_no_truth(config):
    item = DATASETS.build(config.train_dataloader.dataset)[1]
    assert item['inputs'].shape == (2, 3, 8, 224, 224)
    assert not {'gt_mask', 'gt_label'} & set(item['data_samples'].keys())


def predict(sample, mask):
    """What the metric makes of a mask (F, 224, 224) for a video of the test list."""
    scores = torch.tensor([[0.1, 0.9]]).repeat(len(sample.frame_inds) // 8, 1)
    prediction = dict(pred_mask=mask.float(), pred_clip_scores=scores)
    metric = FrameVideoMAP()
    record = metric.reduce({**sample.to_dict(), **prediction})
    return record, metric.compute_metrics([record])


def test_boxes_of_the_crop_return_to_the_source_video(whole_video):
    inputs, sample = whole_video
    clips = inputs.transpose(1, 2).flatten(0, 1)  # M * T frames
    seen = clips.float().mean(1) / 255
    valid = sample.frame_valid
    assert_same_but_for_edges(sample.gt_mask[valid], seen[valid] > 0.5)
    mask = torch.zeros(FRAMES, 224, 224)
    mask[sample.frame_inds[valid]] = seen[valid]
    record, values = predict(sample, mask)
    (found,), (truth,) = (record['standard'][k] for k in ('tracks', 'gt_tracks'))
    assert found['start'] == truth['start'] == 0
    # a pixel of the squeezed frame is 1.25 pixels of the source
    assert np.abs(found['boxes'] - truth['boxes']).max() <= 1.25
    assert values['frame_mAP@0.50'] == values['video_mAP@0.50'] == 100
    assert values['capsule_f_mAP@0.50'] == 100


def test_one_protocol_measures_on_masks_the_other_on_boxes(whole_video):
    sample = whole_video[1]
    masks, boxes = silhouettes()
    centre = slice(16, 16 + 224)
    masks = torch.from_numpy(squeezed(masks)[:, centre, centre])
    record, values = predict(sample, masks)
    areas = masks.sum((1, 2)).tolist()
    assert record['capsule'][0]['counts']['gt_area'].tolist() == areas
    assert record['capsule'][0]['counts']['inter'].tolist() == areas
    assert values['capsule_v_mAP@0.50-0.95'] == 100

    full = torch.zeros_like(masks)
    for frame, mask in zip(full, masks):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        frame[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    assert (masks.sum((1, 2)) / full.sum((1, 2))).max() < 0.5
    record, values = predict(sample, full)
    assert record['capsule'][0]['counts']['gt_area'].tolist() == areas
    assert values['capsule_f_mAP@0.20'] == 100 and values['capsule_f_mAP@0.50'] == 0
    assert values['frame_mAP@0.50'] == values['video_mAP@0.50'] == 100
    (truth,) = record['standard']['gt_tracks']
    assert truth['boxes'].tolist() == boxes
