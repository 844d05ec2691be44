"""Whole videos are inferred turn by turn, with the result of all at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ssvad.datasets.clip_sampling import whole_video_clips
from ssvad.geometry import average_crops
from ssvad.models import DetOutput, MaskDetector
from tests.helpers import TINY_DETECTOR

PREPROCESSOR = dict(
    type='mmaction.ActionDataPreprocessor',
    mean=[10.0, 20.0, 30.0],
    std=[50.0, 60.0, 70.0],
    format_shape='NCTHW',
)
TWO_CROPS = dict(
    crop_quadruples=np.float32([[0, 0, 0.8, 1], [0.2, 0, 0.8, 1]]),
    crop_quadruple=np.float32([0, 0, 1, 1]),
)


def build(clips_per_forward):
    torch.manual_seed(0)
    cfg = dict(
        TINY_DETECTOR,
        clips_per_forward=clips_per_forward,
        data_preprocessor=PREPROCESSOR,
    )
    return MODELS.build(cfg).eval()


def video(num_frames, crops=False, interval=2, size=32):
    inds, valid = whole_video_clips(num_frames, 8, interval)
    count = len(inds) // 8 * (2 if crops else 1)
    clips = torch.randint(
        256,
        (count, 3, 8, size, size),
        dtype=torch.uint8,
        generator=torch.manual_seed(num_frames),
    )
    sample = ActionDataSample()
    meta = dict(total_frames=num_frames, frame_inds=inds, frame_valid=valid)
    sample.set_metainfo(dict(meta, **(TWO_CROPS if crops else {})))
    return clips, sample


def all_at_once(detector, clips, sample):
    """The whole video in float32, all masks of its clips, then their frames."""
    data = dict(inputs=[clips], data_samples=[sample])
    (inputs,) = detector.data_preprocessor(data)['inputs']
    with torch.no_grad():
        parts = inputs.split(detector.clips_per_forward)
        outputs = [detector.detect(part) for part in parts]
    prob = torch.cat([out.mask for out in outputs]).sigmoid()
    scores = torch.cat([out.scores for out in outputs])
    crops = sample.get('crop_quadruples', (None,))
    scores = scores.unflatten(0, (len(crops), -1)).mean(0)
    prob = prob.unflatten(0, (len(crops), -1)).flatten(1, 2)
    if len(crops) > 1:
        prob = average_crops(prob, crops, sample.crop_quadruple)
    else:
        prob = prob[0]
    mask = prob.new_zeros((sample.total_frames, *prob.shape[1:]))
    mask[sample.frame_inds[sample.frame_valid]] = prob[sample.frame_valid]
    return mask, scores


def step(detector, *videos):
    """What the evaluation loop does with a batch."""
    clips, samples = zip(*videos)
    return detector.test_step(dict(inputs=list(clips), data_samples=list(samples)))


@pytest.mark.parametrize('crops', [False, True])
@pytest.mark.parametrize('clips_per_forward', [1, 2, 4])
def test_network_finds_the_same_to_the_bit(crops, clips_per_forward):
    detector = build(clips_per_forward)
    clips, sample = video(37, crops)
    mask, scores = all_at_once(detector, clips, sample)
    (found,) = step(detector, (clips, sample))
    assert torch.equal(found.pred_mask, mask)
    assert torch.equal(found.pred_clip_scores, scores)


class PointWise(MaskDetector):
    """The parts of a forward do not know of each other."""

    def detect(self, clips):
        mask = clips.mean(1)
        scores = torch.stack([mask.amax((1, 2, 3)), mask.amin((1, 2, 3))], dim=1)
        return DetOutput(mask, scores.sigmoid(), None)


def point_wise(clips_per_forward):
    detector = build(clips_per_forward)
    detector.__class__ = PointWise
    return detector


@settings(max_examples=30, deadline=None)
@given(
    num_frames=st.integers(1, 70),
    interval=st.integers(1, 3),
    crops=st.booleans(),
    clips_per_forward=st.integers(1, 9),
)
def test_any_turns_give_the_same(num_frames, interval, crops, clips_per_forward):
    detector = point_wise(clips_per_forward)
    clips, sample = video(num_frames, crops, interval, size=4)
    mask, scores = all_at_once(detector, clips, sample)
    (found,) = step(detector, (clips, sample))
    assert torch.equal(found.pred_mask, mask)
    assert torch.equal(found.pred_clip_scores, scores)
    assert torch.equal(found.pred_score, scores.mean(0))


def test_videos_of_a_batch_may_differ_in_length():
    detector = point_wise(2)
    videos = [video(20), video(50)]
    for found, (clips, sample) in zip(step(detector, *videos), videos):
        mask, _ = all_at_once(detector, clips, sample)
        assert torch.equal(found.pred_mask, mask)


class Sizes(TorchDispatchMode):
    """Bytes of the memory behind all that is computed."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        self.found |= {tensor.untyped_storage().nbytes() for tensor in tensors}
        return out


@pytest.mark.parametrize('crops', [False, True])
def test_nothing_but_the_mask_grows_with_the_video(crops):
    detector = point_wise(4)
    largest = []
    for num_frames in (32, 320):  # of 4 and 40 clips
        clips, sample = video(num_frames, crops)
        with Sizes() as sizes:
            (found,) = step(detector, (clips, sample))
        given_and_asked = {clips.nbytes, found.pred_mask.nbytes}
        largest.append(max(sizes.found - given_and_asked))
    assert largest[0] == largest[1] == 4 * (3 * 8 * 32 * 32) * 4


@pytest.mark.parametrize('name', ['test_step', 'val_step'])
def test_loops_prepare_the_clips_of_one_forward_at_a_time(name):
    detector = build(2)
    seen = []
    detector.data_preprocessor.register_forward_pre_hook(
        lambda _, args: seen.append([len(part) for part in args[0]['inputs']])
    )
    clips, sample = video(40)
    getattr(detector, name)(dict(inputs=[clips], data_samples=[sample]))
    assert len(clips) == 6 and seen == [[2], [2], [2]]
