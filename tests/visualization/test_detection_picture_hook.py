from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction.structures import ActionDataSample

from ssvad.datasets.clip_sampling import whole_video_clips
from ssvad.visualization import DetectionPictureHook, draw
from ssvad.visualization.detection_picture_hook import (
    draw_detection,
    frames_of_clips,
)


@given(total=st.integers(1, 40), interval=st.integers(1, 3))
def test_clips_return_to_frame_order(total, interval):
    inds, valid = whole_video_clips(total, 8, interval)
    video = np.arange(total).reshape(total, 1, 1, 1) + np.zeros((1, 2, 2, 3))
    clips = video[inds].reshape(-1, 8, 2, 2, 3).transpose(0, 4, 1, 2, 3)
    assert (frames_of_clips(clips, inds, valid) == video).all()


def test_truth_is_left_and_prediction_right():
    frames = np.full((2, 16, 24, 3), 90, np.uint8)
    truth, prob = np.zeros((2, 16, 24), bool), np.zeros((2, 16, 24), np.float32)
    truth[0, 2:12, 2:12] = True
    prob[1, 4:14, 10:20] = 0.9
    out = draw_detection(frames, truth, prob, ('a', 'b'), scale=2)
    assert out.shape == (2, 32 + 18, 96, 3)
    left, right = out[:, 18:, :48].astype(int), out[:, 18:, 48:].astype(int)
    assert (left[0, 4:24, 4:24, 1] > left[0, 4:24, 4:24, 0]).all()
    assert (left[1] == 90).all() and (right[0] == 90).all()
    # box in white around the red mask
    assert (right[1, 8, 20:40] == draw.WHITE).all()
    assert (right[1, 10:26, 22:38, 0] > right[1, 10:26, 22:38, 1]).all()


class Runner:
    """As a hook sees it; in a test, asking for the epoch would build the training."""

    visualizer = SimpleNamespace(_vis_backends={})

    def __init__(self, folder, total, epoch=None):
        class Loader(list):
            dataset = SimpleNamespace(metainfo=dict(classes=('run', 'walk')))

        self.work_dir = str(folder)
        self.val_dataloader = self.test_dataloader = Loader([0] * total)
        if epoch is not None:
            self.epoch = epoch

    @property
    def epoch(self):
        raise AssertionError('asked for the epoch')

    @epoch.setter
    def epoch(self, value):
        self.__class__ = type('Training', (Runner,), dict(epoch=value))


def detected(name, total=20):
    """A batch and an output: a square that moves, half of it found."""
    inds, valid = whole_video_clips(total, 8, 1)
    video = np.zeros((total, 16, 16, 3), np.uint8)
    mask = np.zeros((total, 16, 16), bool)
    for f in range(total):
        mask[f, 4:12, f % 8 : f % 8 + 8] = True
        video[f] = 10 * f
    clips = video[inds].reshape(-1, 8, 16, 16, 3).transpose(0, 4, 1, 2, 3)
    sample = ActionDataSample()
    sample.set_metainfo(dict(video_id=name, frame_inds=inds, frame_valid=valid))
    sample.set_field(torch.tensor(mask[inds].astype(np.uint8)), 'gt_mask')
    sample.set_field(torch.tensor(mask * 0.9).float(), 'pred_mask')
    sample.set_gt_label(1)
    sample.set_pred_label(0)
    sample.set_pred_score(torch.tensor([0.7, 0.3]))
    return dict(inputs=[torch.tensor(clips)]), [sample]


def test_validations_draw_the_strips_of_tests(tmp_path):
    batch = detected('a/b')
    hook = DetectionPictureHook(num_videos=1)
    hook.after_val_iter(Runner(tmp_path, 1, epoch=7), 0, *batch)
    (path,) = (tmp_path / 'pictures').iterdir()
    assert path.name == 'epoch_7_a_b.png'
    hook.after_test_iter(Runner(tmp_path, 1), 0, *batch)
    names = {path.name for path in (tmp_path / 'pictures').iterdir()}
    assert names == {'epoch_7_a_b.png', 'a_b.png', 'a_b.mp4'}
    strip, tested = (cv2.imread(str(path.parent / n)) for n in ('a_b.png', path.name))
    assert (strip == tested).all()
    frame = strip[18 : strip.shape[0] // 2, :160, ::-1].astype(int)
    assert (frame[:, :, 1] > frame[:, :, 0]).any()  # the truth, green, above


@pytest.mark.parametrize('kind', ['val', 'test'])
@pytest.mark.parametrize('total, drawn', [(2, {0, 1}), (7, {0, 2, 4})])
def test_videos_are_spread_over_the_set(tmp_path, kind, total, drawn):
    hook = DetectionPictureHook(num_videos=3)
    runner = Runner(tmp_path, total, epoch=1 if kind == 'val' else None)
    for index in range(total):
        after = getattr(hook, f'after_{kind}_iter')
        after(runner, index, *detected(f'v{index}', 8))
    found = {path.stem[-1] for path in (tmp_path / 'pictures').glob('*.png')}
    assert found == {str(index) for index in drawn}
