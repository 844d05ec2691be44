"""Our parts in other people's configs, and the converter's output in training."""

import pytest
import torch

from ssvad.video_io import write_video
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini

pytestmark = pytest.mark.slow

RECOGNIZER = """
custom_imports = dict(imports=['ssvad'])
default_scope = 'mmaction'
model = dict(
    type='Recognizer3D',
    backbone=dict(type='I3D'),
    cls_head=dict(
        type='I3DHead', num_classes=2, in_channels=832, average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[114.75] * 3, std=[57.375] * 3,
        format_shape='NCTHW'))
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='VideoDataset', ann_file='list.txt', pipeline=pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset', ann_file='list.txt', pipeline=pipeline, test_mode=True))
val_evaluator = dict(type='AccMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
"""


def test_i3d_trains_in_a_recognizer_of_mmaction(tool, tmp_path):
    lines = []
    for label, level in enumerate((40, 200)):
        frames = torch.randint(level - 20, level + 20, (12, 32, 32, 3)).byte().numpy()
        write_video(tmp_path / f'{label}.mp4', frames)
        lines += [f'{tmp_path / f"{label}.mp4"} {label}'] * 2
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    (tmp_path / 'recognizer.py').write_text(RECOGNIZER)
    tool('train.py', 'recognizer.py', '--work-dir', 'w', '--seed', '0')
    state = torch.load(tmp_path / 'w/epoch_1.pth', weights_only=False)['state_dict']
    assert state['backbone.Mixed_4f.b0.conv3d.weight'].shape[0] == 256
    log = next((tmp_path / 'w').glob('*/vis_data/2*.json')).read_text()
    assert 'acc/top1' in log


@needs_ucf24_mini
def test_flagship_trains_on_real_clips(tool, tmp_path, monkeypatch):
    """The published pipeline on UCF101-24 clips; a narrow network, for time."""
    data = tmp_path / 'ucf24'
    tool(
        *('convert_ucf24.py', UCF24_MINI / 'pyannot.pkl'),
        *('--out', data / 'annotations.json', '--video-ext', 'mp4'),
        *('--video-root', UCF24_MINI / 'rgb-videos'),
        *('--testlist', UCF24_MINI / 'testlist01.txt'),
    )
    (data / 'videos').symlink_to(UCF24_MINI / 'rgb-videos')
    ids = (data / 'splits/test.txt').read_text().split()
    (data / 'splits/mini').mkdir()
    (data / 'splits/mini/labeled.txt').write_text('\n'.join(ids[:3]))
    (data / 'splits/mini/unlabeled.txt').write_text('\n'.join(ids[3:]))
    (data / 'splits/test.txt').write_text(ids[2])
    monkeypatch.setenv('SSVAD_UCF24', str(data))
    monkeypatch.setenv('SSVAD_SPLIT', 'mini')
    tool(
        *('train.py', ROOT / 'configs/ucf24_semi_var.py', '--work-dir', 'w'),
        *('--cfg-options', 'train_dataloader.batch_size=2'),
        *('train_dataloader.num_workers=0', 'val_dataloader.num_workers=0'),
        *('train_cfg.max_epochs=1', 'train_cfg.val_interval=1'),
        *('model.detector.backbone.width=0.125', 'model.detector.head.num_capsules=4'),
        'model.detector.head.in_channels=(8,24,104)',
        'model.detector.head.decoder_channels=4',
    )
    log = next((tmp_path / 'w').glob('*/vis_data/2*.json')).read_text()
    assert 'loss_cons_mask' in log and 'stad/frame_mAP@0.50' in log
