import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssvad.evaluation.conventions import PRESETS
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.error_analysis import (
    ERROR_TYPES,
    KINDS,
    classify_errors,
    error_analysis,
)
from ssvad.evaluation.frame_ap import frame_ap
from ssvad.evaluation.tubes import Tube
from tests.evaluation import golden

SHARES = ('AP', *ERROR_TYPES)


def boxes_of(rows):
    """Rows (video, frame, label, x, score) of 10 x 10 boxes."""
    return boxes_of_tubes(
        [
            Tube(v, c, f, np.array([[x, 0, x + 10, 10.0]]), score)
            for v, f, c, x, score in rows
        ]
    )


def test_each_kind_of_error():
    gt = boxes_of([(0, 0, 0, 0, 0), (0, 0, 1, 50, 0), (0, 9, 1, 50, 0)])
    det = boxes_of(
        [
            (0, 0, 0, 0, 0.9),  # right
            (0, 0, 0, 1, 0.8),  # the object is taken
            (0, 0, 0, 8, 0.7),  # too little overlap
            (0, 9, 0, 50, 0.6),  # that is class 1
            (0, 5, 0, 0, 0.5),  # not now
            (1, 0, 0, 0, 0.4),  # not in this video
        ]
    )
    labels, kinds = classify_errors(gt, det, 2, 0.5)
    names = [('right', *KINDS)[kind + 1] for kind in kinds]
    assert names == [
        *('right', 'duplicate', 'localisation'),
        *('classification', 'timing', 'other'),
    ]
    found = error_analysis(gt, det, 2, 0.5)
    assert [found[f'num_{kind}'][0] for kind in ERROR_TYPES] == [1, 1, 1, 1, 1, 0]
    assert found['num_missed'].tolist() == [0, 2]
    assert found['missed'].tolist() == [0, 100]


row = st.tuples(
    *(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)),
    *(st.integers(0, 12), st.integers(0, 9)),
)


@pytest.mark.parametrize('name', sorted(PRESETS))
@given(gt=st.lists(row, max_size=8), det=st.lists(row, max_size=12))
def test_shares_make_up_100(name, gt, det):
    gt, det, convention = boxes_of(gt), boxes_of(det), PRESETS[name]
    found = error_analysis(gt, det, 3, 0.5, convention)
    present = np.isin(np.arange(3), gt.label)
    total = sum(found[share] for share in SHARES)
    np.testing.assert_allclose(total[present], 100)
    assert np.isnan(total[~present]).all()
    assert all((found[share][present] >= 0).all() for share in SHARES)
    if convention.ap == 'trapezoid':
        ap = 100 * frame_ap(gt, det, 3, [0.5], convention)[0]
        np.testing.assert_allclose(found['AP'], ap)


def test_no_detections_miss_everything():
    found = error_analysis(golden.gt_boxes(), boxes_of([]), 24, 0.5)
    assert (found['missed'] == 100).all()
    assert all((found[kind] == 0).all() for kind in ('AP', *KINDS))
