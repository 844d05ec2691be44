"""Training on real clips through the converted format, a raw stream among them."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from ssvad.annotations import load_annotations, save_annotations, write_split
from ssvad.datasets import video_decode
from tests.helpers import ROOT, TINY_DETECTOR, UCF24_MINI, needs_ucf24_mini

pytestmark = [pytest.mark.slow, needs_ucf24_mini]

RAW = UCF24_MINI / 'raw_mpeg4_stream.mp4'
TWIN = 'Basketball/v_Basketball_g07_c04'  # the clip that the raw stream shows
STREAM = 'Basketball/v_raw_stream'


@pytest.fixture
def data(tmp_path, tool, capsys):
    """The six clips converted; the raw stream with the boxes of its twin, scaled."""
    root = tmp_path / 'ucf24'
    for path in (UCF24_MINI / 'rgb-videos').glob('*/*.mp4'):
        link = root / 'videos' / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    out = root / 'annotations.json'
    tool(
        'convert_ucf24.py',
        UCF24_MINI / 'pyannot.pkl',
        *('--out', out, '--video-root', root / 'videos', '--video-ext', 'mp4'),
    )
    assert '3188 videos missing, dropped' in capsys.readouterr().out
    annotations = load_annotations(out)
    videos = {video['id']: video for video in annotations['videos']}
    assert len(videos) == 6
    stream = copy.deepcopy(videos[TWIN])
    stream.update(id=STREAM, file=f'{STREAM}.mp4', width=340, height=256)
    for tube in stream['tubes']:
        scale = np.array([340 / 320, 256 / 240] * 2)
        tube['boxes'] = (np.asarray(tube['boxes']) * scale).tolist()
    save_annotations(out, annotations['classes'], [*videos.values(), stream])
    (root / 'videos' / f'{STREAM}.mp4').symlink_to(RAW)
    labeled = [STREAM, *sorted(set(videos) - {TWIN})[:3]]
    unlabeled = sorted(set(videos) - set(labeled))
    for name, ids in dict(labeled=labeled, unlabeled=unlabeled).items():
        write_split(root / f'splits/mini/{name}.txt', ids)
    write_split(root / 'splits/test.txt', [*videos, STREAM])
    extra = tmp_path / 'extra'
    extra.mkdir()
    (extra / RAW.name).symlink_to(RAW)
    (extra / 'damaged.mp4').write_bytes(RAW.read_bytes()[:300])
    return tmp_path


@pytest.fixture
def config(data, monkeypatch):
    """The config with more videos, its network and crops small."""
    for name, value in dict(UCF24='ucf24', EXTRA='extra').items():
        monkeypatch.setenv(f'SSVAD_{name}', str(data / value))
    monkeypatch.setenv('SSVAD_SPLIT', 'mini')
    cfg = Config.fromfile(ROOT / 'configs/ucf24_semi_var_extra.py')
    detector = copy.deepcopy(TINY_DETECTOR)
    detector['head']['num_classes'] = 24
    cfg.model.detector = detector
    small_crops(cfg.train_dataloader.dataset)
    small_crops(cfg.val_dataloader.dataset)
    cfg.test_dataloader = cfg.val_dataloader
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0)
    cfg.train_dataloader.batch_size = 4
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.custom_hooks = [h for h in cfg.custom_hooks if 'Picture' not in h.type]
    cfg.default_hooks.logger.interval = 1
    path = data / 'mini.py'
    cfg.dump(path)
    return path


def small_crops(dataset):
    for part in dataset.get('datasets', []):
        small_crops(part)
    for transform in dataset.get('pipeline', []):
        if transform.type == 'RandomCrop':
            transform.size = 64
        if transform.type == 'CenterCrop':
            transform.crop_size = 64


def test_all_clips_train_and_are_evaluated(config, tool, tmp_path, monkeypatch):
    read, files = video_decode.read_frames, []

    def note(filename, *args):
        frames = read(filename, *args)
        assert frames.std() > 10
        files.append(str(Path(filename).relative_to(tmp_path)))
        return frames

    monkeypatch.setattr(video_decode, 'read_frames', note)
    tool('train.py', config, '--work-dir', 'w', '--no-validate')
    names = {f'ucf24/videos/{path}.mp4' for path in (STREAM, TWIN)}
    assert names < set(files) and len(set(files)) == 8
    assert f'extra/{RAW.name}' in files
    (log,) = (tmp_path / 'w').glob('*/vis_data/2*.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [row['loss'] for row in rows if 'loss' in row]
    # an epoch is a pass over 3 unlabelled clips and the 2 files of the folder
    assert len(losses) == 2 * math.ceil(5 / 2) and all(map(math.isfinite, losses))
    (text,) = (tmp_path / 'w').glob('*/2*.log')
    skipped = [x for x in text.read_text().splitlines() if 'skipped an' in x]
    assert len(skipped) == 1 and 'number 1 of at most 10' in skipped[0]
    assert 'extra/damaged.mp4: cannot decode frames 0 to 0' in skipped[0]

    files.clear()
    last = (tmp_path / 'w/last_checkpoint').read_text()
    tool('test.py', config, last, '--work-dir', 'w2')
    assert len(files) == len(set(files)) == 7 and f'ucf24/videos/{STREAM}.mp4' in files
    (result,) = (tmp_path / 'w2').glob('*/2*.json')
    metrics = json.loads(result.read_text())
    assert {'stad/capsule_f_mAP@0.50', 'stad/video_mAP@0.20'} < set(metrics)
    assert all(math.isfinite(metrics[key]) for key in metrics if 'mAP' in key)
