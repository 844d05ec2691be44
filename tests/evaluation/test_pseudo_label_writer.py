"""Pseudo-labels: what is accepted, what is written, what is never read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.registry import METRICS

from ssvad.annotations import (
    load_annotations,
    load_masks,
    read_split,
    save_annotations,
    write_split,
)
from ssvad.evaluation.pseudo_label_writer import (
    mask_in_source,
    mask_to_tubes,
    prediction_confidence,
)

CLASSES = ['run', 'wave']


def video(name, tubes=()):
    size = dict(width=20, height=10, num_frames=6)
    return dict(id=name, file=f'{name}.mp4', tubes=list(tubes), **size)


def sample(name, scores=(0.1, 0.9), prob=0.9, frames=slice(0, 6)):
    """A prediction in the left half of the frame, 10 x 10 of 20 x 10 pixels."""
    mask = np.zeros((6, 10, 10), np.float32)
    mask[frames, 2:5, 1:4] = prob
    return dict(
        video_id=name,
        pred_mask=mask,
        pred_score=np.array(scores),
        crop_quadruple=(0.0, 0.0, 0.5, 1.0),
        original_shape=(10, 20),
        gt_label=np.array([np.nan]),
        gt_tubes=np.full((1, 6, 4), np.nan),
        gt_mask=np.full((6, 10, 10), np.nan),
    )


@pytest.fixture
def written(tmp_path):
    """Write pseudo-labels of some predictions; returns their folder and metrics."""
    truth = dict(label=0, start=0, boxes=[[0.0, 0.0, 5.0, 5.0]])
    videos = [video('known', [truth]), *(video(n, [truth]) for n in 'abcd')]
    save_annotations(tmp_path / 'annotations.json', CLASSES, videos)
    write_split(tmp_path / 'labeled.txt', ['known'])

    def write(*samples):
        metric = METRICS.build(
            dict(
                type='PseudoLabelWriter',
                out_dir=str(tmp_path / 'out'),
                ann_file=str(tmp_path / 'annotations.json'),
                labeled_split=str(tmp_path / 'labeled.txt'),
            )
        )
        for one in samples:
            metric.process({}, [one])
        return tmp_path / 'out', metric.evaluate(len(samples))

    return write


def test_sure_videos_become_annotations_and_unsure_ones_do_not(written):
    out, metrics = written(
        sample('b', frames=slice(2, 5)),
        sample('a', scores=(0.55, 0.6)),
        sample('c', prob=0.6),
        sample('d', prob=0.0),
    )
    assert read_split(out / 'labeled.txt') == ['known', 'b']
    known, new = load_annotations(out / 'annotations.json')['videos']
    assert known['tubes'][0]['label'] == 0 and 'masks' not in known
    (tube,) = new['tubes']
    assert (tube['label'], tube['start']) == (1, 2)
    assert tube['boxes'] == [[1, 2, 4, 5]] * 3
    masks = load_masks(out / 'masks' / new['masks'], np.arange(6), (6, 10, 20))
    assert masks.sum() == 3 * 9 and masks[2:5, 2:5, 1:4].all()
    assert metrics['pseudo/accepted'] == 1 and metrics['pseudo/videos'] == 4


def test_nothing_sure_leaves_the_labelled_videos(written):
    out, metrics = written(sample('a', prob=0.0))
    assert read_split(out / 'labeled.txt') == ['known']
    assert metrics['pseudo/accepted'] == 0


def test_labelled_videos_keep_their_truth(written):
    out, _ = written(sample('known'))
    (known,) = load_annotations(out / 'annotations.json')['videos']
    assert known['tubes'][0]['label'] == 0


@given(st.floats(0.51, 1), st.floats(0, 1), st.integers(1, 6))
def test_confidence_is_that_of_the_foreground(prob, second, frames):
    mask = np.full((6, 4, 4), 0.3, np.float32)
    mask[:frames] = prob
    lead, confidence = prediction_confidence(mask, np.array([second / 2, 1.0, second]))
    assert lead == pytest.approx(1 - second)
    assert confidence == pytest.approx(prob, rel=1e-6)


def test_masks_go_where_the_network_looked():
    mask = np.zeros((1, 4, 4), np.float32)
    mask[0, 0, 0] = mask[0, 3, 3] = 1
    whole = mask_in_source(mask, (0.25, 0.5, 0.5, 0.5), (8, 16))
    rows, columns = np.nonzero(whole[0])
    assert (rows.min(), rows.max()) == (4, 7)
    assert (columns.min(), columns.max()) == (4, 11)


def test_a_gap_starts_another_tube():
    masks = np.zeros((7, 5, 5), bool)
    masks[[1, 2, 5], 1, 2] = True
    tubes = mask_to_tubes(masks, 3)
    assert [(t['start'], len(t['boxes']), t['label']) for t in tubes] == [
        (1, 2, 3),
        (5, 1, 3),
    ]
    assert tubes[0]['boxes'][0] == [2, 1, 3, 2]
