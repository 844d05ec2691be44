import math
import pickle
from itertools import zip_longest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import METRICS

import ssvad.evaluation  # noqa: F401  (registers the metric)
from tests.evaluation import golden
from tests.evaluation.samples import make_sample, moving_tube, noisy_videos

CLASSES = ('bear', 'cat', 'dog')


def make_metric(**kwargs):
    metric = METRICS.build(dict(type='VOSMetric', **kwargs))
    metric.dataset_meta = dict(classes=CLASSES)
    return metric


def evaluate(samples, **kwargs):
    metric = make_metric(**kwargs)
    for sample in samples:
        metric.process(None, [sample])
    return metric.evaluate(len(samples))


def make_video(video_id, pred, gt, **fields):
    masks = dict(pred_masks=torch.from_numpy(pred), gt_masks=torch.from_numpy(gt))
    return dict(video_id=video_id, **masks, **fields)


def random_video(index):
    rng = np.random.default_rng(index)
    objects, frames = int(rng.integers(1, 4)), int(rng.integers(3, 6))
    masks = rng.random((2, objects, frames, 12, 15)) > 0.6
    masks[:, :, :, ::2] = False
    labels = torch.from_numpy(rng.integers(0, 3, objects))
    pred, gt = masks.astype(np.float32)
    return make_video(f'video {index}', pred, gt, object_labels=labels)


def golden_videos():
    """Every case of the reference as a video of one object and one frame."""
    return [
        make_video(f'{i:02d}', pred[None, None].astype(np.float32), gt[None, None])
        for i, (pred, gt) in enumerate(golden.vos_pairs())
    ]


def test_agrees_with_the_davis_code():
    metrics = evaluate(golden_videos())
    means = golden.expected('vos_expected')
    j, f = 100 * means['mean_J'], 100 * means['mean_F']
    expected = {'vos/J': j, 'vos/F': f, 'vos/J&F': (j + f) / 2}
    assert metrics == pytest.approx(expected, abs=1e-9)


def square(frames, x, size=4):
    mask = np.zeros((1, frames, 16, 20), np.uint8)
    mask[:, :, 4 : 4 + size, x : x + size] = 1
    return mask


def test_objects_count_alike_however_long_their_videos():
    videos = [
        make_video('long', square(9, 2), square(9, 2)),
        make_video('short', square(1, 2), square(1, 12)),
    ]
    assert evaluate(videos) == {'vos/J': 50, 'vos/F': 50, 'vos/J&F': 50}


def test_mean_over_frames_comes_first():
    pred, gt = square(4, 2), square(4, 2)
    gt[:, 0], pred[:, 3] = 0, 0
    video = make_video('v', pred, gt)
    # wrong on the first and the last of four frames
    assert evaluate([video])['vos/J'] == 50
    assert evaluate([video], frames='inner')['vos/J'] == 100
    video['scored_frames'] = np.array([[True, False, True, False]])
    assert evaluate([video])['vos/J'] == 50
    video['scored_frames'] = np.array([[True, False, False, True]])
    assert evaluate([video])['vos/J'] == 0
    assert evaluate([video], frames='inner')['vos/J'] == 0
    assert video['scored_frames'].sum() == 2


def test_seen_and_unseen_categories():
    pred = np.concatenate([square(3, 2)] * 3)
    gt = np.concatenate([square(3, 2), square(3, 12), square(3, 4)])
    video = make_video('v', pred, gt, object_labels=torch.tensor([2, 1, 2]))
    metrics = evaluate([video], seen_classes=['dog'])
    assert metrics['vos/J_seen'] == pytest.approx((100 + 100 / 3) / 2)
    assert metrics['vos/J_unseen'] == metrics['vos/F_unseen'] == 0
    four = [metrics[f'vos/{m}_{g}'] for m in 'JF' for g in ('seen', 'unseen')]
    assert metrics['vos/Overall'] == pytest.approx(np.mean(four))
    assert metrics['vos/J'] == pytest.approx(400 / 9)


def test_never_nan():
    video = random_video(0)
    metrics = evaluate([video], seen_classes=CLASSES)
    assert set(metrics) == {f'vos/{k}' for k in (
        'J', 'F', 'J&F', 'J_seen', 'F_seen', 'Overall')}  # fmt: skip
    video['scored_frames'] = np.zeros(video['gt_masks'].shape[:2], bool)
    video['pred_masks'] = torch.full_like(video['pred_masks'], math.nan)
    nothing = evaluate([video], seen_classes=CLASSES)
    assert nothing == {f'vos/{k}': 0 for k in ('J', 'F', 'J&F', 'Overall')}
    del video['scored_frames']
    assert all(map(math.isfinite, evaluate([video]).values()))


def evaluate_on_ranks(samples, num_ranks, monkeypatch, truncate, **kwargs):
    """BaseMetric.evaluate with the default sampler's shares of several ranks."""
    size = len(samples)
    total = math.ceil(size / num_ranks) * num_ranks
    padded = (list(range(size)) * 2)[:total]
    parts = []
    for rank in range(num_ranks):
        metric = make_metric(**kwargs)
        metric.process(None, [samples[i] for i in padded[rank::num_ranks]])
        parts.append(pickle.loads(pickle.dumps(metric.results, protocol=2)))
    merged = [r for row in zip_longest(*parts) for r in row if r is not None]
    monkeypatch.setattr(
        'mmengine.evaluator.metric.collect_results',
        lambda results, size, device, **kwargs: merged[:size] if truncate else merged,
    )
    return make_metric(**kwargs).evaluate(size)


@pytest.mark.parametrize('num_ranks', [1, 2, 3])
@pytest.mark.parametrize('truncate', [True, False])
def test_number_of_ranks_does_not_matter(num_ranks, truncate, monkeypatch):
    samples, seen = [random_video(i) for i in range(7)], dict(seen_classes=['cat'])
    expected = evaluate(samples, **seen)
    found = evaluate_on_ranks(samples, num_ranks, monkeypatch, truncate, **seen)
    assert found == expected


@settings(max_examples=10)
@given(order=st.permutations(range(6)))
def test_order_of_videos_does_not_matter(order):
    samples = [random_video(i) for i in range(6)]
    assert evaluate([samples[i] for i in order]) == evaluate(samples)


def test_record_is_small_and_holds_neither_tensors_nor_masks():
    sample = random_video(3)
    record = make_metric().reduce(sample)
    assert len(record['J']) == len(sample['gt_masks'])
    assert all(type(v) is np.ndarray and v.ndim == 1 for v in list(record.values())[1:])


def test_foreground_of_the_evaluation_samples():
    # the last clip is padded beyond a frame that shows the actor
    tube = moving_tube(21, 3, 18, x=4, y=5)
    samples = [*noisy_videos(4), make_sample('end', [tube], 0, num_frames=21)]
    metrics = evaluate(samples, mode='foreground')
    assert set(metrics) == {'vos/fg_J', 'vos/fg_F', 'vos/fg_J&F'}
    for sample in samples:  # the truth in frame order, as one object
        inds, valid = sample['frame_inds'], sample['frame_valid']
        clips = sample['gt_mask'].numpy()
        gt = np.stack([clips[np.flatnonzero((inds == f) & valid)[0]]
                       for f in range(sample['total_frames'])])  # fmt: skip
        sample.update(gt_masks=gt[None], pred_masks=sample['pred_mask'][None])
    objects = evaluate(samples)
    assert [metrics[f'vos/fg_{k}'] for k in ('J', 'F')] == pytest.approx(
        [objects['vos/J'], objects['vos/F']]
    )


def test_says_what_does_not_fit():
    video = random_video(0)
    for change, match in [
        (dict(gt_masks=video['gt_masks'][:, 1:]), "'video 0'.*one shape"),
        (dict(scored_frames=np.ones((1, 1))), "'video 0'.*scored_frames"),
    ]:
        with pytest.raises(ValueError, match=match):
            make_metric().reduce({**video, **change})
    with pytest.raises(KeyError, match='object_labels'):
        labels = video.pop('object_labels')
        make_metric(seen_classes=['cat']).reduce(video)
    with pytest.raises(ValueError, match='seen_classes.*zebra'):
        evaluate([dict(video, object_labels=labels)], seen_classes=['zebra'])
    with pytest.raises(ValueError, match="'mask'"):
        make_metric(mode='mask')
    (sample,) = noisy_videos(1)
    sample['frame_valid'] = np.zeros_like(sample['frame_valid'])
    with pytest.raises(ValueError, match='video 00.*valid'):
        make_metric(mode='foreground').reduce(sample)
