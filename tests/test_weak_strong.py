"""The pipelines with a weak and a strong view, from video files to batches."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from ssvad.annotations import save_annotations, save_masks, write_split
from ssvad.datasets.photometric import apply_photometric
from ssvad.geometry import ViewGeometry
from ssvad.video_io import write_video
from tests.helpers import ROOT

BASES = ROOT / 'configs/_base_/datasets'
# variable, folders of videos and lists, size of videos and crops
SOURCES = dict(
    toy=('SSVAD_TOY', 'videos', 'splits', (40, 32), 32),
    ucf24=('SSVAD_UCF24', 'videos', 'splits/20_seed47', (320, 240), 224),
    jhmdb21=(
        *('SSVAD_JHMDB21', 'ReCompress_Videos', 'splits/30_seed47'),
        *((320, 240), 224),
    ),
)
# frames of the two videos: the second is too short for a clip with gaps
LENGTHS = dict(a=24, b=12)


def render(num_frames, width, height, with_masks):
    """Frames of an own grey level each, with a bright box that grows; and its tube."""
    frames = np.zeros((num_frames, height, width, 3), np.uint8)
    frames += 6 * np.arange(num_frames, dtype=np.uint8)[:, None, None, None]
    frames[..., 0] += 12  # a tint, or no colour could change
    boxes = []
    for f in range(num_frames):
        x, y = width // 4, height // 4
        right = x + 2 * (width // 16 + f * width // 128)
        frames[f, y : height * 3 // 4, x:right] += 80
        boxes.append([x, y, right, height * 3 // 4])
    masks = (frames[..., 1] >= 6 * np.arange(num_frames)[:, None, None] + 40).astype(
        'u1'
    )
    return frames, boxes, masks if with_masks else None


@pytest.fixture(scope='module', params=sorted(SOURCES))
def config(request, tmp_path_factory):
    """A base on two videos, with all that is needed to tell what was drawn."""
    variable, folder, splits, size, crop = SOURCES[request.param]
    root = tmp_path_factory.mktemp(request.param)
    videos = []
    for name, num_frames in LENGTHS.items():
        frames, boxes, masks = render(num_frames, *size, request.param == 'jhmdb21')
        video = dict(id=name, file=f'{name}.mp4', width=size[0], height=size[1])
        if masks is not None:
            video['masks'] = f'{name}.npz'
            save_masks(root / 'masks' / video['masks'], masks)
        tubes = [dict(label=0, start=0, boxes=boxes)]
        videos.append(dict(video, num_frames=num_frames, tubes=tubes))
        write_video(root / folder / video['file'], frames, crf=4)
    save_annotations(root / 'annotations.json', ['growing'], videos)
    write_split(root / splits / 'labeled.txt', ['a', 'b'])
    write_split(root / splits / 'unlabeled.txt', ['b', 'a'])
    init_default_scope('mmaction')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, str(root))
        for other in ('SSVAD_SPLIT', 'SSVAD_FRAMES'):
            patch.delenv(other, raising=False)
        cfg = Config.fromfile(BASES / f'{request.param}_weak_strong.py')
    cfg.size = crop
    for dataset in cfg.train_dataloader.dataset.datasets:
        dataset.serialize_data = False  # faster
    cfg.base_name = f'{request.param}_weak_strong.py'
    return cfg


def traced(cfg, source=0):
    """The dataset, with results instead of what is packed."""
    dataset = dict(cfg.train_dataloader.dataset.datasets[source])
    dataset['pipeline'] = dataset['pipeline'][:-1]
    return DATASETS.build(dataset)


def seeded(dataset, index, seed):
    np.random.seed(seed)
    return dataset[index]


def test_views_share_all_but_the_colours(config):
    packed = DATASETS.build(config.train_dataloader.dataset.datasets[0])
    results = traced(config)
    changed = set()
    for seed in range(6):
        found, item = (seeded(d, seed % 2, seed) for d in (results, packed))
        weak, strong = item['inputs']
        shape = (3, 8, config.size, config.size)
        assert weak.shape == strong.shape == shape and weak.dtype == torch.uint8
        sample = item['data_samples']
        assert sample.gt_mask.shape == shape[1:] and sample.gt_label.tolist() == [0]
        assert sample.views == dict(weak=ViewGeometry(), strong=ViewGeometry())
        record = sample.photometric
        assert record == found['photometric'] and record['weak'] == []
        # the record tells all that was drawn
        clip = weak.permute(1, 2, 3, 0).numpy()
        replayed = apply_photometric(clip, record['strong'])
        assert np.array_equal(replayed, strong.permute(1, 2, 3, 0).numpy())
        changed.add(not torch.equal(weak, strong))
    assert True in changed


def test_the_weak_view_is_the_plain_clip(config):
    cfg = config.copy()
    labeled = dict(cfg.train_dataloader.dataset.datasets[0])
    weak_and_strong = traced(config)
    views = next(t for t in labeled['pipeline'] if t['type'] == 'PairedViews')
    at = labeled['pipeline'].index(views)
    plain = dict(labeled, pipeline=labeled['pipeline'][:at])
    plain = DATASETS.build(plain)
    align = TRANSFORMS.build(dict(type='AlignMask'))
    for seed in range(3):
        one, other = (seeded(d, seed % 2, seed) for d in (weak_and_strong, plain))
        expected = np.stack(other['imgs']).transpose(3, 0, 1, 2)
        assert np.array_equal(one['imgs'][0], expected)
        assert torch.equal(one['gt_mask'], align(other)['gt_mask'])


def test_masks_and_frames_follow_timing_and_flip(config):
    kinds, flips = set(), set()
    dataset = traced(config)
    for seed in range(12):
        found = seeded(dataset, 0, seed)
        frame_inds = found['frame_inds']
        kinds.add(tuple(np.unique(np.sign(np.diff(frame_inds)))))
        flips.add(found['flip'])
        clip = found['imgs'][0].astype(int)
        mask = found['gt_mask'].numpy().astype(bool)
        for t, frame in enumerate(frame_inds):
            # every frame shows its number as grey level, and the box is 80 brighter
            green = clip[1, t] - 6 * frame
            away = np.median(green[~mask[t]])
            assert abs(away) <= 3
            if mask[t].sum() > 50:
                assert abs(np.median(green[mask[t]]) - 80) <= 3
    assert kinds == {(1,), (-1,)} and flips == {False, True}


def test_short_videos_lose_no_frame_and_repeat_none(config):
    dataset = traced(config)
    clips = {tuple(seeded(dataset, 1, seed)['frame_inds']) for seed in range(8)}
    # 12 frames: eight in a row, forwards or backwards
    assert all(set(np.diff(clip)) in ({1}, {-1}) for clip in clips)
    assert len({clip[0] < clip[1] for clip in clips}) == 2


def test_unlabelled_clips_are_made_alike_without_truth(config):
    labeled, unlabeled = (traced(config, source) for source in (0, 1))
    for seed in range(3):
        # the lists name the two videos in opposite order
        one, other = seeded(labeled, 0, seed), seeded(unlabeled, 1, seed)
        assert one['video_id'] == other['video_id'] == 'a'
        assert np.array_equal(one['imgs'], other['imgs'])
        assert one['photometric'] == other['photometric']
        assert not {'label', 'gt_tubes', 'tube_labels', 'gt_mask'} & set(other)


def test_batches_are_mixed_and_repeatable(config):
    loader = dict(config.train_dataloader, num_workers=0, batch_size=4)
    loader.pop('worker_init_fn')
    loader['collate_fn'] = dict(type='pseudo_collate')
    batches = []
    for _ in range(2):
        np.random.seed(0)
        batches.extend(Runner.build_dataloader(loader, seed=1))
    first, second = batches
    labels = ['gt_label' in sample for sample in first['data_samples']]
    assert labels == [True, False, True, False]
    assert all(map(torch.equal, first['inputs'], second['inputs']))


@pytest.mark.parametrize('source', [0, 1])
def test_the_released_blur_is_an_override_away(config, source):
    cfg = config.copy()
    text = next(
        line.split('datasets.N.')[1]
        for line in (BASES / cfg.base_name).read_text().splitlines()
        if 'datasets.N.' in line
    )
    key, value = text.split('=')
    assert value == 'True'
    cfg.merge_from_dict({f'train_dataloader.dataset.datasets.{source}.{key}': True})
    dataset = DATASETS.build(cfg.train_dataloader.dataset.datasets[source])
    views = next(t for t in dataset.pipeline.transforms if hasattr(t, 'views'))
    assert views.views['strong'][0].released_blur
