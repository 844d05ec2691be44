"""Squeezing frames to 256 x 256 keeps masks and boxes on the pixels (JHMDB-21)."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ssvad.annotations import save_annotations, write_split
from ssvad.evaluation import FrameVideoMAP
from ssvad.video_io import write_video
from tests.helpers import ROOT

FRAMES, HEIGHT, WIDTH = 20, 240, 320


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The config on two videos of a white box that moves over black."""
    root = tmp_path_factory.mktemp('jhmdb21')
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    boxes = []
    for f in range(FRAMES):
        x1, y1, x2, y2 = 40 + 5 * f, 30 + 3 * f, 140 + 5 * f, 110 + 4 * f
        frames[f, y1:y2, x1:x2] = 255
        boxes.append([x1, y1, x2, y2])
    size = dict(width=WIDTH, height=HEIGHT, num_frames=FRAMES)
    tube = dict(label=1, start=0, boxes=boxes)
    videos = [dict(id=n, file=f'{n}.mp4', tubes=[tube], **size) for n in 'ab']
    for video in videos:
        write_video(root / 'videos' / video['file'], frames, crf=4)
    save_annotations(root / 'annotations.json', ['still', 'moving'], videos)
    write_split(root / 'splits/30_seed47/labeled.txt', ['a'])
    write_split(root / 'splits/30_seed47/unlabeled.txt', ['b'])
    write_split(root / 'splits/test.txt', ['a'])
    init_default_scope('mmaction')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SSVAD_JHMDB21', str(root))
        patch.delenv('SSVAD_SPLIT', raising=False)
        return Config.fromfile(ROOT / 'configs/jhmdb21_semi_var.py')


def bright(clip):
    """Where a uint8 clip (C, T, H, W) is white: (T, H, W) bool."""
    return clip.float().mean(0) > 127


def assert_same_but_for_edges(mask, seen):
    """Scaling blurs the edge of the box by a pixel; everything else must agree."""
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


def test_unlabelled_clips_carry_no_truth(config):
    item = DATASETS.build(config.train_dataloader.dataset)[1]
    assert item['inputs'].shape == (2, 3, 8, 224, 224)
    assert not {'gt_mask', 'gt_label'} & set(item['data_samples'].keys())


def test_boxes_of_the_crop_return_to_the_source_video(config):
    item = DATASETS.build(config.test_dataloader.dataset)[0]
    sample = item['data_samples']
    clips = item['inputs'].transpose(1, 2).flatten(0, 1)  # M * T frames
    seen = clips.float().mean(1) / 255
    valid = sample.frame_valid
    assert_same_but_for_edges(sample.gt_mask[valid], seen[valid] > 0.5)
    mask = torch.zeros(FRAMES, 224, 224)
    mask[sample.frame_inds[valid]] = seen[valid]
    scores = torch.tensor([[0.1, 0.9]]).repeat(len(item['inputs']), 1)
    prediction = dict(pred_mask=mask, pred_clip_scores=scores)
    metric = FrameVideoMAP()
    record = metric.reduce({**sample.to_dict(), **prediction})
    (found,), (truth,) = (record['standard'][k] for k in ('tracks', 'gt_tracks'))
    assert found['start'] == truth['start'] == 0
    # a pixel of the squeezed frame is 1.25 pixels of the source
    assert np.abs(found['boxes'] - truth['boxes']).max() <= 1.25
    values = metric.compute_metrics([record])
    assert values['frame_mAP@0.50'] == values['video_mAP@0.50'] == 100
    assert values['capsule_f_mAP@0.50'] == 100
