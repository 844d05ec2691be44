"""Examples of errors are errors of their kind."""

import numpy as np
import pytest

from ssvad.evaluation.boxes import box_iou
from ssvad.evaluation.conventions import PRESETS
from ssvad.evaluation.error_analysis import ERROR_TYPES
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.visualization.report_errors import error_examples

THR, CLASSES = 0.5, 3


def boxes(rng, num, jitter=0.0):
    """Boxes that often meet; scores without ties."""
    left = rng.integers(0, 3, num) * 8.0 + jitter * rng.normal(size=num)
    corners = np.stack([left, 0 * left, left + 10, 0 * left + 10], axis=1)
    return FrameBoxes(
        video=rng.integers(0, 6, num),
        frame=rng.integers(0, 3, num),
        label=rng.integers(0, CLASSES, num),
        boxes=corners,
        scores=rng.permutation(num) / num,
    )


def overlap(box, others):
    return box_iou(np.repeat(box[None], len(others), 0), others)


def kind_of(example, gt):
    """What the definition says of a detection that is no hit."""
    here = (gt.video == example.video) & (gt.frame == example.frame)
    near = np.zeros(len(here), bool)
    near[here] = overlap(example.box, gt.boxes[here]) >= THR
    same = gt.label == example.label
    if (here & same).any():
        return 'duplicate' if (near & same).any() else 'localisation'
    if near.any():
        return 'classification'
    return 'timing' if (same & (gt.video == example.video)).any() else 'other'


@pytest.mark.parametrize('convention', PRESETS)
def test_examples_are_what_they_are_called(convention):
    # 'inclusive' presets measure half-open boxes as they are
    preset = PRESETS[convention]
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gt, det = boxes(rng, 25), boxes(rng, 90, jitter=1.0)
        found = error_examples(gt, det, CLASSES, THR, preset, num=3)
        assert tuple(found) == ERROR_TYPES
        for kind, examples in found.items():
            videos = [example.video for example in examples]
            assert len(videos) <= 3 and len(set(videos)) == len(videos)
            seen.update([kind] * bool(examples))
            if kind == 'missed' or preset.frame_pixel != 'inclusive':
                continue
            scores = [example.score for example in examples]
            assert scores == sorted(scores, reverse=True)
            for example in examples:
                assert kind_of(example, gt) == kind
    expected = set(ERROR_TYPES)
    assert seen >= expected - ({'timing', 'other'} if preset.frames != 'all' else set())


def test_missed_objects_have_no_detection_near():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        gt, det = boxes(rng, 40), boxes(rng, 30, jitter=1.0)
        missed = error_examples(gt, det, CLASSES, THR, num=6)['missed']
        lost = {}
        for video, frame, label, box in zip(*gt[:4]):
            same = (det.video == video) & (det.frame == frame) & (det.label == label)
            if not (overlap(box, det.boxes[same]) >= THR).any():
                lost.setdefault(video, []).append(box.tolist())
        counts = [len(lost[example.video]) for example in missed]
        assert counts == sorted(map(len, lost.values()), reverse=True)[:6]
        assert all(example.score is None for example in missed)
        assert all(example.box.tolist() in lost[example.video] for example in missed)


def test_the_most_confident_error_of_a_kind_comes_first():
    rng = np.random.default_rng(0)
    gt, det = boxes(rng, 25), boxes(rng, 90, jitter=1.0)
    one = error_examples(gt, det, CLASSES, THR, num=1)
    three = error_examples(gt, det, CLASSES, THR, num=3)
    for kind in ERROR_TYPES:
        assert [e.score for e in one[kind]] == [e.score for e in three[kind]][:1]


def test_nothing_detected_is_all_missed():
    gt = boxes(np.random.default_rng(0), 25)
    none = gt.take(np.zeros(0, int))
    found = error_examples(gt, none, CLASSES, THR)
    assert len(found.pop('missed')) == 4 and not any(found.values())
    assert not any(error_examples(none, none, CLASSES, THR).values())
