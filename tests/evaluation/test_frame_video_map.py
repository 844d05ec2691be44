import json
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement

from ssvad.evaluation.capsule_truth import POLICIES
from ssvad.evaluation.conventions import PRESETS
from ssvad.evaluation.error_analysis import ERROR_TYPES
from tests.evaluation.oracles import capsule_protocol
from tests.evaluation.samples import (
    CLASSES,
    evaluate,
    make_metric,
    make_sample,
    moving_tube,
    noisy_videos,
    split_into_clips,
    two_actors,
)

CAPSULE_KEYS = {
    'stad/capsule_f_mAP@0.20',
    'stad/capsule_f_mAP@0.50',
    'stad/capsule_v_mAP@0.20',
    'stad/capsule_v_mAP@0.50',
    'stad/capsule_v_mAP@0.50-0.95',
    'stad/capsule_acc',
}
STANDARD_KEYS = {
    'stad/frame_mAP@0.20',
    'stad/frame_mAP@0.50',
    'stad/video_mAP@0.20',
    'stad/video_mAP@0.50',
    'stad/video_mAP@0.75',
    'stad/video_mAP@0.50-0.95',
    'stad/video_acc',
}
ERROR_KEYS = {f'stad/frame_err_{kind}' for kind in ERROR_TYPES}
ZEROS = dict.fromkeys(CAPSULE_KEYS | STANDARD_KEYS | ERROR_KEYS, 0.0)


def test_keys_and_values_are_plain_percentages():
    metrics = evaluate(noisy_videos(8))
    assert set(metrics) == CAPSULE_KEYS | STANDARD_KEYS | ERROR_KEYS
    assert all(type(value) is float for value in metrics.values())
    assert all(0 <= value <= 100 for value in metrics.values())
    # a test on results that are all 0 or all 100 would not see much
    assert 5 < metrics['stad/frame_mAP@0.50'] < 95
    assert 5 < metrics['stad/video_mAP@0.20'] < 95
    assert 5 < metrics['stad/capsule_f_mAP@0.50'] < 95


def test_perfect_masks_of_two_actors_give_100_in_both_protocols():
    samples = [two_actors('a', 1), two_actors('b', 0), make_sample('empty', [], None)]
    metrics = evaluate(samples)
    perfect = dict.fromkeys(CAPSULE_KEYS | STANDARD_KEYS, 100)
    assert metrics == pytest.approx({**ZEROS, **perfect})


def test_empty_prediction_gives_0_without_nan():
    empty = np.zeros((43, 48, 48), np.float32)
    metrics = evaluate([two_actors(pred_mask=empty, scores=np.zeros((6, 3)))])
    assert metrics == {**ZEROS, 'stad/frame_err_missed': 100}


@pytest.mark.parametrize('samples', [[], [make_sample('empty', [], None)]])
def test_no_ground_truth_at_all_gives_0_without_nan(samples):
    metrics = evaluate(samples)
    assert metrics == ZEROS


@pytest.mark.parametrize('annotation', sorted(POLICIES))
@pytest.mark.parametrize('convention', sorted(PRESETS))
def test_whatever_is_absent_no_metric_is_nan(convention, annotation):
    nothing = np.zeros((43, 48, 48), np.float32)
    unseen = dict(pred_mask=nothing, scores=np.zeros((6, 3)))
    everywhere = dict(pred_mask=nothing + 1, scores=np.ones((6, 3)))
    action, none = two_actors, partial(make_sample, 'b', [], None, 43)
    for samples in (
        [action(**unseen)],
        [none(**unseen)],
        [none(**everywhere)],
        [action(**unseen), none(**everywhere)],
        [action(**everywhere), none(**unseen)],
    ):
        how = dict(convention=convention, annotation=annotation)
        metrics = evaluate(samples, **how)
        assert set(metrics) == set(ZEROS)
        assert all(0 <= value <= 100 for value in metrics.values())


def test_diverged_network_gives_numbers():
    nan = np.full((43, 48, 48), np.nan, np.float32)
    metrics = evaluate([two_actors(pred_mask=nan, scores=np.full((6, 3), np.nan))])
    assert not any(math.isnan(value) for value in metrics.values())


def test_video_without_ground_truth_is_a_source_of_false_positives():
    mask = np.zeros((40, 48, 48), np.float32)
    mask[:, 10:30, 10:30] = 1
    wrong = make_sample(
        'background', [], None, pred_mask=mask, scores=np.tile([0, 1, 0], (6, 1))
    )
    right = two_actors(pred_mask=two_actors()['pred_mask'].numpy() * 0.9)
    clean, polluted = evaluate([right]), evaluate([right, wrong])
    for key in STANDARD_KEYS - {'stad/video_acc'}:
        assert polluted[key] < clean[key] == pytest.approx(100)
    for key in CAPSULE_KEYS | {'stad/video_acc'}:
        assert polluted[key] == clean[key]


def test_wrong_class_hurts_only_the_standard_protocol():
    metrics = evaluate([two_actors(label=1, scores=np.tile([0.9, 0, 0], (6, 1)))])
    for key in CAPSULE_KEYS - {'stad/capsule_acc'}:
        assert metrics[key] == 100
    for key in STANDARD_KEYS | {'stad/capsule_acc'}:
        assert metrics[key] == 0


def test_second_best_class_is_reported_too():
    wrong_first = np.tile([0.9, 0.8, 0], (6, 1))
    assert evaluate([two_actors(scores=wrong_first)])['stad/frame_mAP@0.50'] == 100
    best_only = evaluate([two_actors(scores=wrong_first)], topk_classes=1)
    assert best_only['stad/frame_mAP@0.50'] == 0
    strict = evaluate([two_actors(scores=wrong_first)], min_class_score=0.85)
    assert strict['stad/frame_mAP@0.50'] == 0


def test_class_of_the_clip_follows_an_action_that_changes():
    # class 0 in the first 16 frames, class 1 in the next 16
    tubes = [moving_tube(32, 16 * k, 16, x=4, y=9) for k in (0, 1)]
    scores = np.repeat(np.array([[0.9, 0.1, 0], [0.2, 0.8, 0]]), 2, axis=0)
    sample = make_sample('change', tubes, 0, num_frames=32, scores=scores)
    sample['tube_labels'] = np.array([0, 1])
    for samples in [sample], split_into_clips(sample)[::-1]:
        by_clip = evaluate(samples, class_score='clip')
        assert by_clip['stad/frame_mAP@0.50'] == 100
    by_video = evaluate([sample])
    assert by_video['stad/frame_mAP@0.50'] < 80
    # where all clips agree the two are the same
    same = two_actors(scores=np.tile([0.3, 0.6, 0.1], (6, 1)))
    assert evaluate([same], class_score='clip') == pytest.approx(evaluate([same]))


def test_short_tracks_need_a_smaller_min_len():
    samples = [two_actors()]
    assert evaluate(samples, linker=dict(min_len=26))['stad/video_mAP@0.20'] == 0
    assert evaluate(samples, linker=dict(min_len=21))['stad/video_mAP@0.20'] == 50
    assert evaluate(samples, linker=dict(min_len=20))['stad/video_mAP@0.20'] == 100


@pytest.mark.parametrize(
    ('convention', 'expected'),
    [('act', 0), (dict(tube_nms=None), 25), ('multisports', 50), ('yowo', 0)],
)
def test_convention_reaches_the_tubes(convention, expected):
    # a ring as large as the actor and, scored higher, a blob of IoU 0.44 inside it
    tube = np.tile(np.float32([4, 4, 34, 34]), (40, 1))
    mask = np.zeros((40, 48, 48), np.float32)
    mask[:, 4:34, 4:34] = 0.8
    mask[:, 6:32, 6:32] = 0
    mask[:, 9:29, 9:29] = 0.9
    sample = make_sample('ring', [tube], 0, pred_mask=mask)
    metrics = evaluate([sample], convention=convention)
    assert metrics['stad/video_mAP@0.75'] == expected


def test_mask_to_box_settings_reach_the_boxes():
    metrics = evaluate([two_actors()], mask_to_box=dict(min_area=145))
    assert metrics['stad/frame_mAP@0.50'] == 0


def test_capsule_numbers_equal_the_literal_loop():
    samples = [s for s in noisy_videos(6, seed=3) if 'gt_label' in s]
    videos = []
    for sample in samples:
        gt = np.zeros(sample['pred_mask'].shape, bool)
        valid = sample['frame_valid']
        gt[sample['frame_inds'][valid]] = sample['gt_mask'].numpy()[valid] > 0
        label, pred = int(sample['gt_label']), sample['pred_mask'].numpy() >= 0.5
        videos.append((label, pred, gt, sample['pred_clip_scores'].numpy()))
    frame_hits, num_frames, video_hits, num_videos, correct = capsule_protocol(
        videos, 3
    )
    seen = num_videos > 0
    f = 100 * (frame_hits[seen] / num_frames[seen, None]).mean(axis=0)
    v = 100 * (video_hits[seen] / num_videos[seen, None]).mean(axis=0)
    expected = {
        'capsule_f_mAP@0.20': f[4],
        'capsule_f_mAP@0.50': f[10],
        'capsule_v_mAP@0.20': v[4],
        'capsule_v_mAP@0.50': v[10],
        'capsule_v_mAP@0.50-0.95': v[10:].mean(),
        'capsule_acc': 100 * correct / num_videos.sum(),
    }
    metrics = evaluate(samples, protocol='capsule')
    assert metrics == pytest.approx({f'stad/{k}': v for k, v in expected.items()})


def test_one_small_record_per_video():
    metric = make_metric()
    samples = noisy_videos(4)
    metric.process(None, samples[:3])
    metric.process(None, samples[3:])
    assert [record['video_id'] for record in metric.results] == [
        sample['video_id'] for sample in samples
    ]
    masks = sum(sample['pred_mask'].numpy().nbytes for sample in samples)
    assert len(pickle.dumps(metric.results)) < masks / 10


def test_records_hold_neither_tensors_nor_tuples():
    # mmengine rebuilds tuples as bare ones and pickles the rest between ranks
    metric = make_metric()
    metric.process(None, [two_actors()])

    def walk(value):
        assert type(value) in (dict, list, str, int, float, np.ndarray), value
        for item in value.values() if isinstance(value, dict) else ():
            walk(item)
        for item in value if isinstance(value, list) else ():
            walk(item)

    walk(metric.results)


def test_evaluator_passes_data_elements_through():
    sample = two_actors()
    data = {k: v for k, v in sample.items() if isinstance(v, torch.Tensor)}
    meta = {k: v for k, v in sample.items() if k not in data}
    evaluator = Evaluator(make_metric())
    evaluator.dataset_meta = dict(classes=CLASSES)
    evaluator.process(data_samples=[BaseDataElement(metainfo=meta, **data)])
    assert evaluator.evaluate(1)['stad/frame_mAP@0.50'] == 100


@pytest.mark.parametrize('key', sorted(CAPSULE_KEYS | STANDARD_KEYS))
def test_save_best_guesses_that_greater_is_better(key):
    hook = CheckpointHook(save_best=key)
    assert hook.rules == ['greater']


@pytest.mark.parametrize(
    ('protocol', 'keys'),
    [('capsule', CAPSULE_KEYS), ('standard', STANDARD_KEYS | ERROR_KEYS)],
)
def test_one_protocol_needs_only_its_own_fields(protocol, keys):
    sample = two_actors()
    for name in ('gt_tubes', 'tube_labels', 'original_shape', 'crop_quadruple'):
        if protocol == 'capsule':
            del sample[name]
    for name in ('gt_mask', 'frame_inds', 'frame_valid'):
        if protocol == 'standard':
            del sample[name]
    assert set(evaluate([sample], protocol=protocol)) == keys


def test_log_and_file_keep_the_tables_apart(tmp_path, caplog):
    path = tmp_path / 'report.json'
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        evaluate([two_actors(), make_sample('empty', [], None)], out_file=str(path))
    finally:
        logger.removeHandler(caplog.handler)
    capsule, standard = (r.getMessage().strip() for r in caplog.records[-2:])
    assert 'WARNING' in capsule.splitlines()[0]
    assert 'NOT comparable' in capsule.splitlines()[0]
    assert 'frame_mAP@0.50' not in capsule.replace('capsule_f_mAP', '')
    assert 'capsule_' not in standard
    assert 'annotation policy: union of all actors' in capsule
    assert 'convention: act (frame_pixel=inclusive' in standard
    assert 'errors at IoU 0.50, sum 100: AP 100.00, localisation 0.00' in standard
    for text, facts in (
        (capsule, ['videos: 2', 'videos scored: 1',
                   'frames: 83', 'frames scored: 32']),
        (standard, ['videos: 2', 'frames: 83', 'tubes: 2', 'boxes: 45',
                    'detected boxes: 45']),
    ):  # fmt: skip
        assert [fact for fact in facts if fact not in text.splitlines()] == []
        assert "left out of the means: ['jump', 'wave']" in text
    report = json.loads(path.read_text())
    per_class = report['standard']['per_class']
    assert per_class['frame_mAP@0.50'] == [None, 100, None]
    assert per_class['frame_recall@0.50'] == [None, 100, None]
    assert report['capsule']['per_class']['frames'] == [0, 32, 0]
    for name in ('capsule', 'standard'):
        header, *rows = (tmp_path / f'report_{name}.csv').read_text().splitlines()
        assert header.split(',') == list(report[name]['per_class'])
        assert [row.split(',')[0] for row in rows] == list(CLASSES)
    assert not set(report['capsule']['metrics']) & set(report['standard']['metrics'])
