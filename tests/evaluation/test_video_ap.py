import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.evaluation.conventions import get_convention
from ssvad.evaluation.video_ap import video_ap
from tests.evaluation import golden


def golden_ap(gt, det, nms_iou=0.3):
    convention = get_convention('act', tube_nms=nms_iou)
    return video_ap(gt, det, golden.NUM_CLASSES, golden.VIDEO_THRS, convention)


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
