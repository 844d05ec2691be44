import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation import capsule_recall as module
from ssvad.evaluation.capsule_recall import (
    CapsuleVideo,
    FrameCounts,
    capsule_recall,
    count_bits,
    count_frames,
    pack_frames,
)
from tests.evaluation.golden_values import capsule_video
from tests.evaluation.oracles import capsule_protocol, whole_video_clips

EXACT = dict(rtol=0, atol=1e-12)


@pytest.mark.parametrize('k', range(1, 20))
def test_exact_ties_follow_float32_thresholds(k):
    missed = {5, 10, 15, 20, 30, 40, 55, 60, 80, 85}
    counts = FrameCounts(*(np.array([n], np.int32) for n in (k, k, 20)))
    recall = capsule_recall([CapsuleVideo(0, 0, counts)], 1)
    assert recall.frame_recall[0, k] == (5 * k not in missed)
    assert recall.video_recall[0, k] == (5 * k not in missed)


def random_videos(seed, num, num_classes=3):
    rng = np.random.default_rng(seed)
    for _ in range(num):
        frames = int(rng.integers(1, 40))
        gt, pred = rng.random((2, frames, 3, 4)) < rng.random((2, 1, 1, 1))
        gt &= rng.random((frames, 1, 1)) < 0.6
        clips = len(whole_video_clips(frames)[0]) // 8
        yield int(rng.integers(num_classes)), pred, gt, rng.random((clips, num_classes))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 5))
def test_equals_the_literal_loop(seed, num):
    videos = list(random_videos(seed, num))
    frame_hits, num_frames, video_hits, num_videos, correct = capsule_protocol(
        videos, num_classes=3
    )
    recall = capsule_recall([capsule_video(*video)[0] for video in videos], 3)
    np.testing.assert_array_equal(recall.num_frames, num_frames)
    np.testing.assert_array_equal(recall.num_videos, num_videos)
    with np.errstate(invalid='ignore'):
        wanted = frame_hits / num_frames[:, None], video_hits / num_videos[:, None]
    np.testing.assert_allclose(recall.frame_recall, wanted[0], **EXACT)
    np.testing.assert_allclose(recall.video_recall, wanted[1], **EXACT)
    assert recall.accuracy == pytest.approx(correct / max(num_videos.sum(), 1))


def test_frames_without_ground_truth_carry_no_weight():
    counts = FrameCounts(
        np.array([5, 0], np.int32), np.array([5, 99], np.int32), np.array([5, 0])
    )
    recall = capsule_recall([CapsuleVideo(1, 1, counts)], 2)
    assert recall.num_frames.tolist() == [0, 1]
    assert (recall.video_recall[1] == 1).all()


def test_no_videos_at_all():
    recall = capsule_recall([], 2)
    assert recall.num_videos.tolist() == [0, 0]
    assert recall.accuracy == 0.0


@pytest.mark.parametrize('how', ['counted by NumPy', 'looked up'])
@pytest.mark.parametrize('shape', [(5, 3, 5), (4, 8, 24), (3, 56, 56), (0, 4, 4)])
def test_bits_count_as_pixels(monkeypatch, how, shape):
    if how == 'looked up':  # as with NumPy 1
        monkeypatch.setattr(module, '_bits_set', module._looked_up)
    pred, gt = np.random.default_rng(0).random((2, *shape)) < 0.6
    wanted = [mask.sum(axis=(1, 2)) for mask in (pred & gt, pred, gt)]
    bits = pack_frames(pred), pack_frames(gt)
    assert bits[0].shape == (shape[0], -(-shape[1] * shape[2] // 8))
    for counts in (count_frames(pred, gt), count_bits(*bits)):
        for count, pixels in zip(counts, wanted):
            assert count.dtype == np.int32
            np.testing.assert_array_equal(count, pixels)


def test_every_pixel_of_a_frame_is_counted():
    full = np.ones((1, 224, 224), bool)
    assert [count.item() for count in count_frames(full, full)] == [224 * 224] * 3
    assert [count.item() for count in count_frames(full, ~full)] == [0, 224 * 224, 0]
