import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.conventions import PRESETS
from ssvad.evaluation.detections import boxes_of_tubes, concatenate_boxes
from ssvad.evaluation.error_analysis import ERROR_TYPES
from ssvad.evaluation.report import ProtocolReport
from ssvad.evaluation.standard_protocol import evaluate_detections
from ssvad.evaluation.tubes import Tube
from tests.evaluation import golden

CLASSES = [video for video in golden.expected('videos')['classes']]
every_preset = pytest.mark.parametrize('preset', sorted(PRESETS))


def evaluate(gt=None, boxes=None, tubes=None, preset='act', **kwargs):
    return evaluate_detections(
        golden.gt_tubes() if gt is None else gt,
        golden.det_boxes() if boxes is None else boxes,
        preset,
        classes=CLASSES,
        tubes=golden.det_tubes() if tubes is None else tubes,
        **kwargs,
    )


def ap_of(result):
    """Everything but the error shares, (columns, classes)."""
    return np.array(
        [result['per_class'][k] for k in sorted(result['per_class']) if 'mAP' in k]
    )


def test_metrics_of_both_parts_and_of_one():
    result = evaluate()
    act = golden.act('videoAP ready-made tubes (tube NMS 0.3)')
    for key, wanted in (
        ('frame_mAP@0.20', golden.act('frameAP@0.2')['mean']),
        ('frame_mAP@0.50', golden.act('frameAP@0.5')['mean']),
        ('video_mAP@0.75', act['0.75']['mean']),
        ('video_mAP@0.50-0.95', act['0.50:0.95']['mean']),
    ):
        assert result['metrics'][key] == pytest.approx(wanted, abs=1e-4)
    frames = evaluate_detections(
        golden.gt_tubes(), golden.det_boxes(), classes=CLASSES, error_thr=None
    )
    videos = evaluate_detections(
        golden.gt_tubes(), classes=CLASSES, tubes=golden.det_tubes()
    )
    both = {**frames['metrics'], **videos['metrics']}
    errors = {f'frame_err_{kind}' for kind in ERROR_TYPES}
    assert set(result['metrics']) - set(both) == errors
    assert all(both[key] == result['metrics'][key] for key in both)


def test_report_says_what_was_evaluated():
    result = evaluate(overrides=dict(tube_nms=None))
    text = ProtocolReport(**result).text()
    for fact in (
        *('tubes: 86', 'boxes: 7647', 'detected boxes: 12814', 'detected tubes: 116'),
        'annotation policy: every actor is a tube of its own',
        'classes without ground truth, left out of the means: []',
    ):
        assert fact in text.splitlines()
    assert 'convention: act, changed (' in text and 'tube_nms=None' in text
    columns = result['per_class']
    assert {len(column) for column in columns.values()} == {24}
    assert sum(columns['videos']) == 60
    assert all(name in text for name in columns)
    assert max(map(len, text.splitlines()[8:])) <= 160


def ranked_truth():
    return [t._replace(score=1 - k / 1000) for k, t in enumerate(golden.gt_tubes())]


@every_preset
def test_ground_truth_as_detections_is_perfect(preset):
    gt = ranked_truth()
    if not PRESETS[preset].frame_rematch:
        # where two actors have the very same box, one of them is out of reach
        rows = boxes_of_tubes(gt)
        _, which, times = np.unique(
            np.c_[rows.places(), rows.boxes],
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        twins = rows.take(times[which.ravel()] > 1)
        assert 0 < len(twins.video) < 300
        gt = [tube for tube in gt if tube.video not in twins.video]
    metrics = evaluate(
        gt, boxes_of_tubes(gt), gt, preset, overrides=dict(tube_nms=None)
    )['metrics']
    for key, value in metrics.items():
        wanted = 0 if '_err_' in key else 100
        assert value == pytest.approx(wanted, abs=1e-2), key


@every_preset
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_order_of_videos_and_detections_does_not_matter(preset, seed):
    rng = np.random.default_rng(seed)
    number = rng.permutation(60)
    gt, tubes = (
        [
            found[i]._replace(video=int(number[found[i].video]))
            for i in rng.permutation(len(found))
        ]
        for found in (golden.gt_tubes(), golden.det_tubes())
    )
    boxes = golden.det_boxes()
    boxes = boxes._replace(video=number[boxes.video])
    boxes = boxes.take(rng.permutation(len(boxes.video)))
    assert evaluate(gt, boxes, tubes, preset)['metrics'] == pytest.approx(
        evaluate(preset=preset)['metrics'], abs=1e-9
    )


@every_preset
@pytest.mark.parametrize('rescale', [lambda s: s**3, lambda s: 5 * s - 9])
def test_only_the_order_of_scores_matters(preset, rescale):
    boxes = golden.det_boxes()
    boxes = boxes._replace(scores=rescale(boxes.scores))
    tubes = [t._replace(score=rescale(t.score)) for t in golden.det_tubes()]
    changed = evaluate(boxes=boxes, tubes=tubes, preset=preset)
    assert changed['metrics'] == evaluate(preset=preset)['metrics']


@every_preset
@settings(max_examples=8)
@given(
    video=st.integers(0, 59),
    label=st.integers(0, 23),
    start=st.integers(0, 60),
    score=st.sampled_from([-1.0, 0.3, 2.0]),
)
def test_a_false_positive_never_raises_ap(preset, video, label, start, score):
    far = Tube(video, label, start, np.tile([900.0, 900, 950, 950], (20, 1)), score)
    boxes = concatenate_boxes([golden.det_boxes(), boxes_of_tubes([far])])
    before = evaluate(preset=preset)
    after = evaluate(None, boxes, [*golden.det_tubes(), far], preset)
    assert (ap_of(after) <= ap_of(before) + 1e-9).all()
    if score < 0:  # below all others it takes no precision from anything
        np.testing.assert_allclose(ap_of(after), ap_of(before))


@every_preset
def test_thresholds_only_lower_ap(preset):
    thrs = (0.1, 0.3, 0.5, 0.7, 0.9)
    metrics = evaluate(preset=preset, frame_thrs=thrs, video_thrs=thrs)['metrics']
    for kind in ('frame', 'video'):
        values = [metrics[f'{kind}_mAP@{thr:.2f}'] for thr in thrs]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1]


@pytest.mark.parametrize(
    ('preset', 'overrides', 'means', 'treatment'),
    [
        ('act', {}, (100, 100), 'left out of the means'),
        ('yowo', {}, (100, 50), 'counted as 0 in video-mAP'),
        # what ACT itself prints
        ('act', dict(frame_empty='zero', tube_empty='zero'), (50, 50),
         'counted as 0 in frame-mAP and video-mAP'),
    ],
)  # fmt: skip
def test_a_class_without_ground_truth(preset, overrides, means, treatment):
    box = np.array([[0, 0, 9, 9.0]] * 5)
    gt = [Tube(0, 0, 0, box)]
    found = [Tube(0, 0, 0, box, 0.5), Tube(0, 1, 0, box, 0.9)]
    result = evaluate_detections(
        *(gt, boxes_of_tubes(found), preset),
        classes=['a', 'b'],
        tubes=found,
        overrides=overrides,
    )
    keys = 'frame_mAP@0.50', 'video_mAP@0.50'
    values = [result['metrics'][key] for key in keys]
    assert values == pytest.approx(means, abs=1e-2)
    assert result['facts'][f'classes without ground truth, {treatment}'] == ['b']
    for key, mean in zip(keys, means):
        cell = result['per_class'][key][1]
        assert cell == 0 if mean == 50 else math.isnan(cell)


def test_nothing_at_all_is_no_nan():
    result = evaluate([], boxes_of_tubes([]), [])
    assert set(result['metrics'].values()) == {0.0}


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('label', 24, 'detections: expected label below 24, got 24 at box 3'),
        ('label', -1, 'label below 24, got -1 at box 3'),
        ('boxes', [0, 0, np.nan, 1], 'finite corners, got .*nan.* at box 3'),
        ('boxes', [5, 0, 5, 1], 'x1 < x2 and y1 < y2, got .* at box 3'),
        ('scores', np.nan, r'finite score, got nan at box 3 \(video 0, frame'),
        ('frame', -2, 'frame from 0 on, got -2 at box 3'),
        ('video', -2, 'video from 0 on, got -2 at box 3'),
    ],
)
def test_wrong_detections_are_refused(field, value, message):
    boxes = golden.det_boxes()
    changed = getattr(boxes, field).copy()
    changed[3] = value
    with pytest.raises(ValueError, match=message):
        evaluate(boxes=boxes._replace(**{field: changed}))


def test_wrong_tubes_are_refused():
    tubes = golden.det_tubes()
    with pytest.raises(ValueError, match='detected tubes: expected finite score'):
        evaluate(tubes=[tubes[0]._replace(score=np.inf)])
    with pytest.raises(ValueError, match='ground truth: expected label below 24'):
        evaluate(gt=[tubes[0]._replace(label=99)])


def test_recall_is_the_share_of_boxes_found():
    boxes = golden.det_boxes()
    half = boxes._replace(**{k: v[::2] for k, v in boxes._asdict().items()})
    table = evaluate(boxes=half)['per_class']
    found = np.array(table['frame_recall@0.50'])
    counts = np.array(table['boxes']), np.array(table['num_missed'])
    np.testing.assert_allclose(found, 100 * (1 - counts[1] / counts[0]), atol=1e-9)
    assert (found < 100).any() and (found > 0).all()
