import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.dataset import Compose, pseudo_collate

from ssvad.apis import MeanScores, stream_video
from ssvad.datasets.frame_reader import iter_frames
from ssvad.datasets.unreadable import VideoReadError
from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels
from ssvad.video_io import write_video
from tests import golden_network as golden
from tests.apis.peak_memory import STATUS
from tests.apis.videos import PREPROCESSOR, Bright, noise
from tests.helpers import ROOT, TINY_DETECTOR

CROP = (dict(type='CenterCrop', crop_size=32),)
SQUEEZE = (dict(type='Resize', scale=(40, 40), keep_ratio=False), *CROP)


@pytest.fixture(scope='module')
def detector():
    detector = MODELS.build(dict(TINY_DETECTOR, data_preprocessor=PREPROCESSOR))
    detector.load_state_dict(golden.network_state(0, like=detector.state_dict()))
    return detector.eval()


def predict(detector, path, transforms, frames, clip_len=8, frame_interval=2):
    """What evaluation makes of the whole video."""
    meta = ('total_frames', 'frame_inds', 'frame_valid')
    meta += ('original_shape', 'crop_quadruple')
    layout = dict(clip_len=clip_len, frame_interval=frame_interval)
    pipeline = [
        dict(type='SampleWholeVideo', **layout),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
        *transforms,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=meta),
    ]
    pipeline = Compose([TRANSFORMS.build(t) for t in pipeline])
    item = pipeline(dict(filename=str(path), total_frames=frames))
    with torch.no_grad():
        (sample,) = detector.test_step(pseudo_collate([item]))
    return sample


@pytest.mark.parametrize(
    'frames, clips_per_forward, transforms, layout',
    [
        (41, 1, CROP, {}),
        (41, 3, CROP, {}),
        (41, 8, SQUEEZE, {}),
        (32, 2, CROP, {}),
        (17, 5, CROP, {}),
        (1, 1, CROP, {}),
        (61, 4, CROP, dict(clip_len=8, frame_interval=3)),
        (61, 5, SQUEEZE, dict(clip_len=16, frame_interval=1)),
    ],
)
def test_masks_and_scores_are_those_of_the_evaluation(
    detector, tmp_path, frames, clips_per_forward, transforms, layout
):
    path = tmp_path / 'a.mp4'
    write_video(path, noise(frames, seed=frames))
    sample = predict(detector, path, transforms, frames, **layout)
    blocks = list(
        stream_video(
            detector, path, transforms, clips_per_forward=clips_per_forward, **layout
        )
    )
    inds = np.concatenate([block.frame_inds for block in blocks])
    assert np.array_equal(inds, np.arange(frames))
    mask = np.concatenate([block.mask for block in blocks])
    expected = sample.pred_mask.numpy()
    assert mask.shape == expected.shape and mask.dtype == np.float32
    np.testing.assert_allclose(mask, expected, atol=1e-5)
    # a wrong order would have been seen
    if frames > 1:
        assert np.abs(np.diff(expected, axis=0)).max((1, 2)).min() > 1e-3
    scores = np.concatenate([block.clip_scores for block in blocks])
    np.testing.assert_allclose(scores, sample.pred_clip_scores.numpy(), atol=1e-6)
    mean = MeanScores()
    for block in blocks:
        mean.update(block.clip_scores)
        assert block.original_shape == tuple(sample.original_shape)
        assert np.array_equal(block.crop_quadruple, sample.crop_quadruple)
    assert mean.num_clips == len(scores)
    np.testing.assert_allclose(mean.mean, sample.pred_score.numpy(), atol=1e-6)


def test_semi_detector_streams_as_its_detector(detector):
    cfg = dict(type='SemiDetector', detector=TINY_DETECTOR)
    cfg.update(method=dict(type='SemiSupConsistency'), data_preprocessor=PREPROCESSOR)
    semi = MODELS.build(cfg).eval()
    semi.detector.load_state_dict(detector.state_dict())
    frames = noise(20)
    for ours, theirs in zip(
        stream_video(detector, frames, CROP), stream_video(semi, frames, CROP)
    ):
        assert np.array_equal(ours.mask, theirs.mask)
        assert np.array_equal(ours.clip_scores, theirs.clip_scores)


def test_boxes_can_be_taken_back_to_the_source():
    frames = np.zeros((20, 96, 128, 3), np.uint8)
    for f, frame in enumerate(frames):
        frame[32:64, 32 + 2 * f : 64 + 2 * f] = 255
    shrink = dict(type='Resize', scale=(64, 48), keep_ratio=False)
    crop = dict(type='CenterCrop', crop_size=(48, 40))
    for block in stream_video(Bright().eval(), frames, [shrink, crop]):
        assert block.mask.shape[1:] == (40, 48) and block.original_shape == (96, 128)
        boxes = mask_to_boxes(block.mask)
        assert boxes.frame.tolist() == list(range(len(block.mask)))
        boxes = to_source_pixels(
            boxes.boxes, (40, 48), block.crop_quadruple, block.original_shape
        )
        left = 32 + 2 * block.frame_inds
        expected = np.stack([left, 32 + 0 * left, left + 32, 64 + 0 * left], axis=1)
        np.testing.assert_allclose(boxes, np.minimum(expected, 112), atol=1)


def test_a_camera_is_read_no_further_than_one_forward():
    pulled = 0

    def camera():
        nonlocal pulled
        for frame in itertools.islice(itertools.cycle(noise(10, 16, 16)), 1000):
            pulled += 1
            yield frame

    blocks = stream_video(Bright().eval(), camera(), clips_per_forward=6)
    assert pulled == 0
    ends = [(next(blocks).frame_inds[-1], pulled) for _ in range(7)]
    assert ends == [(15 + 16 * i, 48 * (1 + i // 3)) for i in range(7)]


def test_consumers_keep_their_gradients():
    detector = Bright().eval()
    for block in stream_video(detector, noise(40), clips_per_forward=1):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        (detector.steepness * torch.from_numpy(block.mask).sum()).backward()


def test_wrong_use_is_told_at_once():
    detector = Bright()
    with pytest.raises(ValueError, match=r'Bright is in train mode.*detector.eval'):
        stream_video(detector, noise(4))
    detector.eval()
    for key in ('clip_len', 'frame_interval', 'clips_per_forward'):
        with pytest.raises(ValueError, match=f'{key} must be at least 1, got 0'):
            stream_video(detector, noise(4), **{key: 0})


def test_wrong_videos_are_named(tmp_path):
    detector = Bright().eval()
    with pytest.raises(VideoReadError, match=r'gone.mp4: no such file'):
        list(stream_video(detector, tmp_path / 'gone.mp4'))
    with pytest.raises(ValueError, match='at least one frame, got none'):
        list(stream_video(detector, []))
    frames = [*noise(17), *noise(3, 40, 64)]
    with pytest.raises(ValueError, match=r'frame 17 is \(40, 64, 3\) uint8, frame 0'):
        list(stream_video(detector, frames))
    for wrong in (noise(2).astype(np.float32), noise(2)[..., 0]):
        with pytest.raises(ValueError, match='frame 0 is'):
            list(stream_video(detector, wrong))
    write_video(tmp_path / 'small.mp4', noise(9))
    too_large = [dict(type='CenterCrop', crop_size=56)]
    with pytest.raises(ValueError, match=r'small.mp4: .*crop does not fit.*Resize'):
        list(stream_video(detector, tmp_path / 'small.mp4', too_large))


def test_damage_comes_after_what_was_whole(detector, tmp_path):
    path = tmp_path / 'a.mp4'
    write_video(path, noise(20))
    frames = list(iter_frames(str(path)))

    def breaks():
        yield from frames
        raise VideoReadError('b.mp4: cannot decode beyond frame 20')

    blocks = stream_video(detector, breaks(), CROP, clips_per_forward=2)
    assert len(next(blocks).frame_inds) == 16
    with pytest.raises(VideoReadError, match='beyond frame 20'):
        next(blocks)


def test_mean_is_the_mean_however_it_comes():
    scores = np.random.RandomState(0).rand(23, 5)
    mean = MeanScores()
    for part in np.split(scores, [1, 2, 9, 9, 20]):
        if len(part):
            np.testing.assert_allclose(mean.update(part), mean.mean)
    np.testing.assert_allclose(mean.mean, scores.mean(0), rtol=1e-12)


@pytest.mark.skipif(not STATUS.exists(), reason='needs the peak memory Linux tells')
def test_peak_memory_does_not_grow_with_the_video(tmp_path):
    printed = subprocess.check_output(
        [sys.executable, '-m', 'tests.apis.peak_memory', str(tmp_path)],
        cwd=ROOT,
        # glibc otherwise moves large buffers to its heap, where they leave gaps
        env=dict(os.environ, MALLOC_MMAP_THRESHOLD_='65536'),
        text=True,
    )
    peaks = json.loads(printed.splitlines()[-1])
    # the control: what the same measurement says if the masks are kept
    assert peaks['kept'] - peaks['long'] > 0.8 * peaks['size_of_masks']
    assert peaks['long'] - peaks['short'] < 0.1 * peaks['size_of_masks']
