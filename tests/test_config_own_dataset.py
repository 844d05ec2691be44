"""configs/own_dataset_semi_var.py fits itself to the data that it finds."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ssvad.annotations import save_annotations
from ssvad.video_io import write_video
from tests.helpers import ROOT

CONFIG = ROOT / 'configs/own_dataset_semi_var.py'
VARIABLES = ('SSVAD_OWN', 'SSVAD_NETWORK', 'SSVAD_SIZE')


def read(path=CONFIG):
    init_default_scope('mmaction')
    return Config.fromfile(path)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A data set of one upright and one wide video, with the classes asked for."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('SSVAD_OWN', str(tmp_path))

    def make(classes):
        videos = []
        for name, width, height in (('up', 64, 128), ('wide', 160, 32)):
            frames = np.zeros((10, height, width, 3), np.uint8)
            # the left half of the upper half
            box = [0, 0, width / 2, height / 2]
            tubes = [dict(label=len(classes) - 1, start=0, boxes=[box] * 10)]
            write_video(tmp_path / f'videos/{name}.mp4', frames)
            size = dict(width=width, height=height, num_frames=10)
            videos.append(dict(size, id=name, file=f'{name}.mp4', tubes=tubes))
        write_video(tmp_path / 'videos/more/other.mp4', frames)
        save_annotations(tmp_path / 'annotations.json', classes, videos)
        (tmp_path / 'splits').mkdir(exist_ok=True)
        for split, ids in (('labeled', 'up\nwide'), ('test', 'up\nwide')):
            (tmp_path / f'splits/{split}.txt').write_text(ids)
        (tmp_path / 'splits/unlabeled.txt').write_text('more/other')

    return make


@pytest.mark.parametrize('number', [1, 3, 30])
def test_the_network_has_the_classes_of_the_annotation(mine, number):
    mine([f'class {i}' for i in range(number)])
    cfg = read()
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert model.detector.head.num_classes == number
    assert cfg.classes == [f'class {i}' for i in range(number)]


def test_a_config_without_data_can_be_read_and_the_data_set_complains(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('SSVAD_OWN', str(tmp_path / 'none'))
    cfg = read()
    with pytest.raises(FileNotFoundError, match='none/annotations.json'):
        DATASETS.build(cfg.test_dataloader.dataset)


def test_damaged_annotations_are_not_taken_for_missing_ones(mine, tmp_path):
    (tmp_path / 'annotations.json').write_text('{"classes": ["a"')
    with pytest.raises(ValueError):
        read()


@pytest.mark.parametrize('size', [None, 96])
def test_frames_are_seen_whole_and_clips_are_a_little_smaller(mine, monkeypatch, size):
    mine(['jump', 'run'])
    if size:
        monkeypatch.setenv('SSVAD_SIZE', str(size))
    size = size or 224
    cfg = read()
    clips = DATASETS.build(cfg.train_dataloader.dataset)
    assert [len(part) for part in clips.datasets] == [2, 1]
    assert clips.metainfo['classes'] == ('jump', 'run')
    samples = [clips[index] for index in range(3)]
    assert {sample['inputs'].shape for sample in samples} == {(2, 3, 8, size, size)}
    labels = [int(s['data_samples'].get('gt_label', -1)) for s in samples]
    assert labels == [1, 1, -1]
    assert 'gt_mask' not in samples[2]['data_samples']
    for whole in DATASETS.build(cfg.test_dataloader.dataset):
        sample, side = whole['data_samples'], whole['inputs'].shape[-1]
        assert size < side <= size * 8 / 7 and side % 8 == 0
        assert tuple(sample.crop_quadruple) == (0, 0, 1, 1)
        expected = torch.zeros(side, side)
        expected[: side // 2, : side // 2] = 1
        assert (sample.gt_mask[torch.as_tensor(sample.frame_valid)] == expected).all()


def test_what_training_leaves_needs_neither_data_nor_variables(
    mine, monkeypatch, tmp_path
):
    mine(['jump', 'run', 'sit'])
    monkeypatch.setenv('SSVAD_SIZE', '112')
    monkeypatch.setenv('SSVAD_NETWORK', 'i3d_capsules_toy')
    cfg = read()
    assert cfg.model.detector.backbone.width == 0.25
    assert cfg.optim_wrapper.optimizer.lr == 2e-3
    cfg.dump(tmp_path / 'left.py')
    (tmp_path / 'annotations.json').unlink()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert read(tmp_path / 'left.py').to_dict() == cfg.to_dict()
    assert read().optim_wrapper.optimizer.lr == 1e-4
