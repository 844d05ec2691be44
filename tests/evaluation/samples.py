"""Whole-video evaluation samples as a metric gets them, and the metric run on them."""

import numpy as np
import torch
from mmaction.registry import METRICS

import ssvad.evaluation  # noqa: F401  (registers the metric)
from tests.evaluation.oracles import whole_video_clips

CLASSES = ('jump', 'run', 'wave')
SIZE = 48  # height and width of the source frame and of the masks


def moving_tube(num_frames, start, length, x, y, size=12):
    """A square of ``size`` pixels drifting right by one pixel in four frames."""
    tube = np.full((num_frames, 4), np.nan, np.float32)
    left = x + np.arange(length) // 4
    tube[start : start + length] = np.stack(
        [left, left * 0 + y, left + size, left * 0 + y + size], axis=1
    )
    return tube


def paint(tubes, num_frames):
    """Union of the tubes: (F, SIZE, SIZE) bool."""
    mask = np.zeros((num_frames, SIZE, SIZE), bool)
    for tube in tubes:
        for frame in np.flatnonzero(~np.isnan(tube[:, 0])):
            x1, y1, x2, y2 = tube[frame].astype(int)
            mask[frame, y1:y2, x1:x2] = True
    return mask


def make_sample(video_id, tubes, label, num_frames=40, pred_mask=None, scores=None):
    """A sample whose prediction is perfect unless a mask or clip scores are given.

    ``label`` None stands for a video without annotation.
    """
    inds, valid = whole_video_clips(num_frames)
    truth = paint(tubes, num_frames)
    num_clips = len(inds) // 8
    if pred_mask is None:
        pred_mask = truth.astype(np.float32)
    if scores is None:
        scores = np.tile(np.eye(len(CLASSES))[label or 0], (num_clips, 1))
    sample = dict(
        video_id=video_id,
        total_frames=num_frames,
        frame_inds=inds,
        frame_valid=valid,
        original_shape=(SIZE, SIZE),
        crop_quadruple=np.array([0, 0, 1, 1], np.float32),
        gt_tubes=np.array(tubes, np.float32).reshape(-1, num_frames, 4),
        tube_labels=np.full(len(tubes), 0 if label is None else label, np.int64),
        gt_mask=torch.from_numpy((truth[inds] & valid[:, None, None]).astype(np.uint8)),
        pred_mask=torch.from_numpy(pred_mask),
        pred_clip_scores=torch.from_numpy(np.asarray(scores, np.float32)),
    )
    if label is not None:
        sample['gt_label'] = torch.tensor([label])
    return sample


def two_actors(video_id='two', label=1, **kwargs):
    """An untrimmed video of two separated actors with extents of their own."""
    num_frames = kwargs.setdefault('num_frames', 43)
    tubes = [
        moving_tube(num_frames, 3, 20, x=2, y=4),
        moving_tube(num_frames, 10, 25, x=30, y=30),
    ]
    return make_sample(video_id, tubes, label, **kwargs)


def noisy_videos(num, seed=0):
    """Videos whose masks and scores are partly wrong; one in four has no action."""
    rng = np.random.default_rng(seed)
    samples = []
    for i in range(num):
        frames, label = int(rng.integers(20, 50)), int(rng.integers(3))
        tubes = [] if i % 4 == 3 else [
            moving_tube(frames, 2, 17, x=int(rng.integers(20)), y=5)
        ]  # fmt: skip
        shift = int(rng.integers(0, 6))
        mask = np.roll(paint(tubes, frames), shift, axis=2) * rng.uniform(0.6, 1)
        mask = mask.astype(np.float32)
        if i % 3 == 0:
            mask[:18, 30:40, 30:44] = 0.7
        samples.append(
            make_sample(
                f'video {i:02d}',
                tubes,
                label if tubes else None,
                num_frames=frames,
                pred_mask=mask,
                scores=rng.random((len(whole_video_clips(frames)[0]) // 8, 3)),
            )
        )
    return samples


def tied_videos(num):
    """Equal scores in all videos: only a fixed order makes results repeatable."""
    samples = noisy_videos(num)
    for sample in samples:
        sample['pred_clip_scores'] = torch.full_like(sample['pred_clip_scores'], 0.5)
        sample['pred_mask'] = (sample['pred_mask'] > 0).float()
    return samples


def split_into_clips(sample):
    """The samples of the clips of a whole video, in clip order."""
    clips = []
    for k, scores in enumerate(sample['pred_clip_scores']):
        part = slice(8 * k, 8 * (k + 1))
        frames = sample['frame_inds'][part]
        clip = dict(
            sample,
            clip_id=k,
            frame_inds=frames,
            frame_valid=sample['frame_valid'][part],
            gt_mask=sample['gt_mask'][part],
            pred_mask=sample['pred_mask'][frames],
            pred_clip_scores=scores[None],
        )
        clips.append(clip)
    return clips


def make_metric(classes=CLASSES, **kwargs):
    metric = METRICS.build(dict(type='FrameVideoMAP', **kwargs))
    metric.dataset_meta = dict(classes=classes)
    return metric


def evaluate(samples, **kwargs):
    metric = make_metric(**kwargs)
    for sample in samples:
        metric.process(None, [sample])
    return metric.evaluate(len(samples))
