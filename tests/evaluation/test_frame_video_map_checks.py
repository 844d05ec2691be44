import numpy as np
import pytest
import torch
from mmaction.registry import METRICS

from ssvad.evaluation import FrameVideoMAP
from tests.evaluation.samples import evaluate, make_metric, two_actors


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(protocol='voc'), ValueError, "expected some of .*got voc"),
        (dict(protocol=()), ValueError, 'expected some of'),
        (dict(linker=dict(iou=0.3)), TypeError, "'iou'"),
        (dict(mask_to_box=dict(area=3)), TypeError, "'area'"),
        (dict(frame_thrs=(50,)), ValueError, 'thresholds in'),
        (dict(class_score='frame'), ValueError, "'video' or 'clip', got 'frame'"),
        (dict(error_thr=50), ValueError, 'thresholds in'),
        (dict(annotation='one'), ValueError, "expected one of .*got 'one'"),
        (dict(convention='coco'), ValueError, "got 'coco'"),
        (dict(convention=dict(iou=1)), ValueError, "no field"),
        (dict(capsule_thrs=(0.33,)), ValueError, 'none of those computed'),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_at_once(kwargs, error, message):
    with pytest.raises(error, match=message):
        FrameVideoMAP(**kwargs)


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('total_frames', 44, r"video 'two': expected pred_mask \(44, H, W\)"),
        ('pred_clip_scores', torch.zeros(3), r'pred_clip_scores \(M, K\)'),
        ('tube_labels', np.array([1, 7]), r'labels \[1, 7\] are not among the 3'),
        ('gt_label', torch.tensor([-2]), r'labels \[-2, 1\] are not among'),
    ],
)
def test_wrong_samples_are_refused(name, value, message):
    sample = two_actors()
    sample[name] = value
    with pytest.raises(ValueError, match=message):
        make_metric().process(None, [sample])


def test_mask_without_label_is_refused():
    sample = two_actors()
    del sample['gt_label']
    with pytest.raises(ValueError, match='gt_label is missing'):
        make_metric().process(None, [sample])


def test_classes_of_dataset_and_head_must_agree():
    with pytest.raises(ValueError, match=r'names 2 classes.*score \[3\]'):
        evaluate([two_actors()], classes=('a', 'b'))


def test_classes_are_numbered_without_dataset_meta():
    metric = METRICS.build(dict(type='FrameVideoMAP'))
    metric.process(None, [two_actors()])
    assert metric.evaluate(1)['stad/frame_mAP@0.50'] == 100
