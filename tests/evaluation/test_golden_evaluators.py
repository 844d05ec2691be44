"""Presets against what YOWO, MultiSports and 3D-RetinaNet print for the same files."""

import numpy as np
import pytest

from ssvad.evaluation.boxes import as_measured, box_iou, inclusive_to_half_open
from ssvad.evaluation.conventions import PRESETS, get_convention
from ssvad.evaluation.frame_ap import frame_ap
from ssvad.evaluation.tube_linking import link_boxes
from ssvad.evaluation.tubes import Tube, tube_iou
from ssvad.evaluation.video_ap import video_ap
from ssvad.evaluation.viterbi_linking import link_whole_video
from tests.evaluation import golden
from tests.evaluation.oracles import soft_nms_scores

PLAIN = ' ready-made tubes (no tube NMS)'
PADILLA = 'YOWO frame_mAP (Padilla VOC every-point)'


def reference(file, key):
    return golden.expected(file)['results'][key]


def frame_percent(convention, thr, boxes=None):
    boxes = golden.det_boxes() if boxes is None else boxes
    return 100 * frame_ap(golden.gt_boxes(), boxes, 24, [thr], convention)[0]


def video_percent(convention, thr, tubes=None):
    tubes = golden.det_tubes() if tubes is None else tubes
    return 100 * video_ap(golden.gt_tubes(), tubes, 24, [thr], convention)[0]


@pytest.mark.parametrize('thr', [0.2, 0.5])
@pytest.mark.parametrize(
    ('convention', 'file', 'key', 'atol'),
    [
        ('yowo', 'expected_yowo', f'{PADILLA} frames with GT only @%g', 1e-8),
        ('multisports', 'expected_others', 'MultiSports frameAP@%g', 1e-8),
        ('retinanet3d', 'expected_others',
         '3D-RetinaNet frame AP (trapezoid, IoU without +1) all frames @%g', 1e-4),
    ],
)  # fmt: skip
def test_frame_ap_of_every_class(convention, file, key, atol, thr):
    ap = frame_percent(PRESETS[convention], thr)
    expected = reference(file, key % thr)
    np.testing.assert_allclose(ap, expected['per_class'], rtol=0, atol=atol)
    assert ap.mean() == pytest.approx(expected['mean'], abs=atol)


def test_a_field_changed_gives_yowo_on_all_frames():
    ap = frame_percent(get_convention('yowo', frames='all'), 0.5)
    expected = reference('expected_yowo', f'{PADILLA} all frames @0.5')
    np.testing.assert_allclose(ap, expected['per_class'], rtol=0, atol=1e-8)


@pytest.mark.parametrize('thr', [0.2, 0.5, 0.75])
@pytest.mark.parametrize(
    ('convention', 'key', 'atol'),
    [
        ('multisports', f'MultiSports videoAP{PLAIN} @%.2f', 1e-8),
        ('retinanet3d', f'3D-RetinaNet video AP{PLAIN} @%.2f', 1e-4),
    ],
)
def test_video_ap_of_every_class(convention, key, atol, thr):
    ap = video_percent(PRESETS[convention], thr)
    expected = reference('expected_others', key % thr)
    np.testing.assert_allclose(ap, expected['per_class'], rtol=0, atol=atol)


def of_video_and_class():
    det = golden.det_boxes()
    for video, label in np.unique([det.video, det.label], axis=1).T:
        index = np.flatnonzero((det.video == video) & (det.label == label))
        yield int(video), int(label), index, det.take(index)


def test_yowo_links_and_judges_whole_videos():
    length = [video['num_frames'] for video in golden.expected('videos')['videos']]
    tubes = [
        Tube(video, label, *track)
        for video, label, _, one in of_video_and_class()
        for track in link_whole_video(one.frame, one.boxes, one.scores, length[video])
    ]
    for thr in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75):
        ap = video_percent(PRESETS['yowo'], thr, tubes)
        expected = reference('expected_yowo', f'YOWO video_mAP own linking @{thr:.2f}')
        # their tubes are float32
        np.testing.assert_allclose(ap, expected['per_class'], rtol=0, atol=1e-5)


def suppressed_scores():
    """Detections' scores after MOC's soft suppression per frame and class."""
    scores = golden.det_boxes().scores.copy()
    for _, _, index, one in of_video_and_class():
        for frame in np.unique(one.frame):
            here = np.flatnonzero(one.frame == frame)
            scores[index[here]] = soft_nms_scores(
                one.boxes[here], one.scores[here], box_iou
            )
    return scores


def test_act_after_soft_suppression():
    boxes = golden.det_boxes()._replace(scores=suppressed_scores())
    expected = golden.act('frameAP@0.5 after MOC per-frame soft-NMS 0.6')
    ap = frame_percent(PRESETS['act'], 0.5, boxes)
    np.testing.assert_allclose(ap, expected['per_class'], rtol=0, atol=1e-4)


def test_multisports_linking_without_its_score_bug():
    scores, tubes = suppressed_scores(), []
    for video, label, index, one in of_video_and_class():
        # linked as measured there, judged as annotated
        for track in link_boxes(
            one.frame,
            as_measured(one.boxes, 'exclusive'),
            scores[index],
            iou_thr=0.5,
            max_gap=1,
            min_len=15,
            topk=10,
        ):
            if track.score >= 0.005:
                boxes = inclusive_to_half_open(track.boxes)
                tubes.append(Tube(video, label, track.start, boxes, track.score))
    for thr in (0.2, 0.5):
        key = f'MultiSports link_tubes+videoAP with the score bug fixed @{thr:.2f}'
        ap = video_percent(PRESETS['multisports'], thr, tubes)
        expected = reference('expected_others', key)['per_class']
        np.testing.assert_allclose(ap, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize('case', golden.edge_cases(), ids=lambda case: case['name'])
@pytest.mark.parametrize(
    ('key', 'convention'),
    [
        ('YOWO (Padilla) frame AP, all frames', get_convention('yowo', frames='all')),
        ('MultiSports frameAP', PRESETS['multisports']),
        ('MultiSports videoAP', PRESETS['multisports']),
    ],
    ids=['yowo frames', 'multisports frames', 'multisports tubes'],
)
def test_edge_cases_exactly(case, key, convention):
    expected = case['expected per class AP (percent)'].get(key)
    if expected is None:
        return
    num = len(case['classes'])
    gt = golden.edge_tubes(case, 'gt')
    if 'video' in key:
        tubes = golden.edge_tubes(case, 'tubes')
        ap = video_ap(gt, tubes, num, [case['th']], convention)[0]
    else:
        boxes = golden.edge_boxes(case)
        gt = golden.boxes_of_tubes(gt)
        ap = frame_ap(gt, boxes, num, [case['th']], convention)[0]
    reported = [100 * value for value in ap if not np.isnan(value)]
    wanted = [value for value in expected if value is not None]
    np.testing.assert_allclose(reported, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ('name', 'key'),
    [('act', 'ACT/MOC'), ('yowo', 'YOWO'), ('multisports', 'MultiSports')],
)
@pytest.mark.parametrize('case', golden.edge_cases(), ids=lambda case: case['name'])
def test_tube_iou_of_edge_cases(case, name, key):
    expected = case['expected per class AP (percent)']
    expected = expected.get('tube IoU of first gt and first tube')
    if expected is None:
        return
    gt, det = (golden.edge_tubes(case, kind)[0] for kind in ('gt', 'tubes'))
    # MultiSports divides 0 by 0 for tubes of one frame
    wanted = expected[key] or 0
    assert tube_iou(gt, det, PRESETS[name]) == pytest.approx(wanted, abs=1e-12)
