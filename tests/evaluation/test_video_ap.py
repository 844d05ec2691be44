import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.conventions import get_convention
from ssvad.evaluation.video_ap import video_ap
from tests.evaluation import golden

TOLERANCE = 1e-4
NMS = {'videoAP ready-made tubes (tube NMS 0.3)': 0.3,
       'videoAP ready-made tubes (no tube NMS)': None}  # fmt: skip


def golden_ap(gt, det, nms_iou=0.3):
    convention = get_convention('act', tube_nms=nms_iou)
    return video_ap(gt, det, golden.NUM_CLASSES, golden.VIDEO_THRS, convention)


@pytest.mark.parametrize('key', NMS)
def test_agrees_with_act_at_every_threshold(key):
    ap = 100 * golden_ap(golden.gt_tubes(), golden.det_tubes(), NMS[key])
    expected = golden.act(key)
    for thr, row in zip(golden.VIDEO_THRS, ap):
        wanted = expected[f'{thr:.2f}']['per_class']
        np.testing.assert_allclose(row, wanted, atol=TOLERANCE, err_msg=f'{thr}')
    wanted = expected['0.50:0.95']['per_class']
    np.testing.assert_allclose(ap[1:].mean(axis=0), wanted, atol=TOLERANCE)


@pytest.mark.parametrize('key', ['tube NMS 0.3', 'no tube NMS'])
@pytest.mark.parametrize('case', golden.edge_cases(), ids=lambda case: case['name'])
def test_edge_cases(case, key):
    expected = case['expected per class AP (percent)'].get(f'ACT/MOC videoAP ({key})')
    gt, det = (golden.edge_tubes(case, kind) for kind in ('gt', 'tubes'))
    num_classes = len(case['classes'])
    convention = get_convention('act', tube_nms=0.3 if '0.3' in key else None)
    ap = 100 * video_ap(gt, det, num_classes, [case['th']], convention)[0]
    has_gt = np.isin(np.arange(num_classes), [tube.label for tube in gt])
    assert np.isnan(ap[~has_gt]).all()
    if isinstance(expected, list):
        wanted = np.array(expected)[has_gt]
        np.testing.assert_allclose(ap[has_gt], wanted, atol=TOLERANCE)


def test_ground_truth_as_detections_is_perfect():
    gt = golden.gt_tubes()
    np.testing.assert_allclose(golden_ap(gt, gt, nms_iou=None), 1.0, rtol=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_order_of_videos_and_tubes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    new_number = rng.permutation(60).tolist()
    shuffled = [
        [
            tubes[i]._replace(video=new_number[tubes[i].video])
            for i in rng.permutation(len(tubes))
        ]
        for tubes in (golden.gt_tubes(), golden.det_tubes())
    ]
    np.testing.assert_array_equal(
        golden_ap(*shuffled), golden_ap(golden.gt_tubes(), golden.det_tubes())
    )


@settings(max_examples=25)
@given(st.integers(0, 59), st.integers(0, 23), st.floats(0, 1))
def test_a_false_positive_never_raises_ap(video, label, score):
    far = golden.det_tubes()[0]._replace(video=video, label=label, score=score)
    far = far._replace(boxes=far.boxes + 1000)
    before = golden_ap(golden.gt_tubes(), golden.det_tubes())
    after = golden_ap(golden.gt_tubes(), golden.det_tubes() + [far])
    assert (after <= before + 1e-12).all()
