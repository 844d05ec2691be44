"""What this package gives for each number of tests/data/eval_public, in its layout."""

from functools import cache, partial

import numpy as np

from detections.linking import MOC, link_by_class
from detections.suppression import suppress_soft
from ssvad.datasets.tube_masks import TubesToMask
from ssvad.evaluation.average_precision import mean_over_present
from ssvad.evaluation.capsule_recall import (
    THRESHOLDS,
    CapsuleVideo,
    capsule_recall,
    count_frames,
    kept_clip_class,
)
from ssvad.evaluation.capsule_truth import inside_boxes
from ssvad.evaluation.conventions import PRESETS, get_convention
from ssvad.evaluation.error_analysis import ERROR_TYPES, error_analysis
from ssvad.evaluation.frame_ap import frame_ap, frame_hits
from ssvad.evaluation.jaccard_boundary import (
    boundary_accuracy,
    boundary_radius,
    region_similarity,
)
from ssvad.evaluation.tubes import tube_iou
from ssvad.evaluation.video_ap import video_ap
from tests.evaluation import golden
from tests.evaluation.oracles import whole_video_clips

ON_ALL_FRAMES = get_convention('yowo', frames='all')
WITHOUT_NMS = get_convention('act', tube_nms=None)
RANGE = np.arange(1, 11)  # of golden.VIDEO_THRS: 0.50 to 0.95


def entry(percent, **more):
    return dict(per_class=percent, mean=np.mean(percent), **more)


def frame_entry(convention, thr, det=None):
    det = golden.det_boxes() if det is None else det
    percent = 100 * frame_ap(golden.gt_boxes(), det, 24, [thr], convention)[0]
    return entry(percent)


def counted_entry(convention, thr):
    found = frame_hits(golden.gt_boxes(), golden.det_boxes(), 24, [thr], convention)
    right = found.labels[found.hits[0]]
    return dict(frame_entry(convention, thr), tp=np.bincount(right, minlength=24))


def video_entry(convention, tubes, thr):
    return entry(100 * video_ap(golden.gt_tubes(), tubes, 24, [thr], convention)[0])


def video_entries(convention, tubes):
    thrs = golden.VIDEO_THRS
    percent = 100 * video_ap(golden.gt_tubes(), tubes, 24, thrs, convention)
    entries = {f'{thr:.2f}': entry(row) for thr, row in zip(thrs, percent)}
    return {**entries, '0.50:0.95': entry(percent[RANGE].mean(axis=0))}


@cache
def linked(linker, **options):
    """Tubes of the detections; MOC suppresses before it links."""
    found = golden.det_boxes()
    if linker == 'greedy':
        found = suppress_soft(found, 24)
    videos = golden.expected('videos')['videos']
    lengths = [video['num_frames'] for video in videos]
    return link_by_class(found, lengths, linker, options)


def act():
    errors = error_analysis(golden.gt_boxes(), golden.det_boxes(), 24, 0.5)
    # duplicates are told apart here
    errors['localisation'] = errors['localisation'] + errors['duplicate']
    kinds = ('AP', *(kind for kind in ERROR_TYPES if kind != 'duplicate'))
    frames = partial(frame_entry, PRESETS['act'])
    ready, moc = golden.det_tubes(), linked('greedy', **MOC)
    return {
        'frameAP@0.5': frames(0.5),
        'frameAP@0.2': frames(0.2),
        'frameAP_error@0.5': {kind: entry(errors[kind]) for kind in kinds},
        'frameAP@0.5 after MOC per-frame soft-NMS 0.6': frames(
            0.5, suppress_soft(golden.det_boxes(), 24)
        ),
        'videoAP ready-made tubes (tube NMS 0.3)': video_entries(PRESETS['act'], ready),
        'videoAP ready-made tubes (no tube NMS)': video_entries(WITHOUT_NMS, ready),
        'linking K=1': dict(
            num_tubes=len(moc),
            num_tubes_per_class=np.bincount([tube.label for tube in moc]),
            sum_length=sum(len(tube.boxes) for tube in moc),
        ),
        'videoAP linked tubes (tube NMS 0.3)': video_entries(PRESETS['act'], moc),
        'sanity: ground truth as detections, frameAP@0.5': frames(
            0.5, golden.gt_boxes()
        ),
    }


def yowo():
    video = 'video_mAP own linking @'
    frame = 'frame_mAP (Padilla VOC every-point)'
    judge = partial(video_entry, PRESETS['yowo'], linked('viterbi'))
    values = {
        f'YOWO {video}{t:.2f}': judge(t) for t in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
    }
    for thr in (0.2, 0.5):
        rounded = entry(np.round(judge(thr)['per_class'], 2))
        values[f'YOWOv2 {video}{thr:.2f}'] = rounded
        name = f'YOWO {frame} frames with GT only @{thr}'
        values[name] = counted_entry(PRESETS['yowo'], thr)
    values[f'YOWO {frame} all frames @0.5'] = counted_entry(ON_ALL_FRAMES, 0.5)
    values['YOWOv2 frame_mAP frames with GT only @0.5'] = frame_entry(
        PRESETS['yowo'], 0.5
    )
    return values


def others():
    multisports, retinanet = PRESETS['multisports'], PRESETS['retinanet3d']
    mended = linked('multisports')
    released = linked('multisports', as_released=True)
    values = {
        'MultiSports linked tube scores': dict(
            num_tubes=len(released),
            num_distinct_scores=len({tube.score for tube in released}),
        )
    }
    for thr in (0.2, 0.5):
        boxes = '3D-RetinaNet frame AP (trapezoid, IoU without +1) all frames'
        values[f'{boxes} @{thr}'] = frame_entry(retinanet, thr)
        values[f'MultiSports frameAP@{thr}'] = frame_entry(multisports, thr)
        for tubes, how in (
            (released, 'AS RELEASED'),
            (mended, 'with the score bug fixed'),
        ):
            key = f'MultiSports link_tubes+videoAP {how} @{thr:.2f}'
            values[key] = video_entry(multisports, tubes, thr)
    for thr in (0.2, 0.5, 0.75):
        where = f'ready-made tubes (no tube NMS) @{thr:.2f}'
        for name, convention in (
            ('MultiSports videoAP', multisports),
            ('3D-RetinaNet video AP', retinanet),
        ):
            tubes = golden.det_tubes()
            values[f'{name} {where}'] = video_entry(convention, tubes, thr)
    return values


def edge_case(case):
    """The case as it came, with our values for those that were computed."""
    gt, tubes = (golden.edge_tubes(case, kind) for kind in ('gt', 'tubes'))
    num, thrs, wanted = len(case['classes']), [case['th']], case[golden.EDGE_VALUES]
    as_boxes = golden.boxes_of_tubes(gt), golden.edge_boxes(case)
    values = {}
    for name, convention in (
        ('ACT/MOC frameAP', PRESETS['act']),
        ('YOWO (Padilla) frame AP, all frames', ON_ALL_FRAMES),
        ('MultiSports frameAP', PRESETS['multisports']),
    ):
        values[name] = 100 * frame_ap(*as_boxes, num, thrs, convention)[0]
    for name, convention in (
        ('ACT/MOC videoAP (tube NMS 0.3)', PRESETS['act']),
        ('ACT/MOC videoAP (no tube NMS)', WITHOUT_NMS),
        ('MultiSports videoAP', PRESETS['multisports']),
    ):
        values[name] = 100 * video_ap(gt, tubes, num, thrs, convention)[0]
    if gt and tubes:
        values['tube IoU of first gt and first tube'] = {
            name: tube_iou(gt[0], tubes[0], PRESETS[key])
            for name, key in (
                *(('ACT/MOC', 'act'), ('YOWO', 'yowo')),
                ('MultiSports', 'multisports'),
            )
        }
    return {name: values[name] for name in wanted}


def capsule_video(label, pred, gt, clip_scores):
    """The video, and how many of its clips are kept."""
    inds, valid = whole_video_clips(len(gt))
    clips = (gt.any(axis=(1, 2))[inds] & valid).reshape(len(clip_scores), -1)
    kept = clip_scores[clips.any(axis=1)]
    predicted = kept_clip_class(kept.sum(axis=0, dtype=np.float64), len(kept))
    return CapsuleVideo(label, predicted, count_frames(pred, gt)), len(kept)


def capsule(num_classes):
    videos = [capsule_video(*video) for video in golden.capsule_videos()]
    recall = capsule_recall([video for video, _ in videos], num_classes)
    means = {
        f'{name}_mAP': [mean_over_present(column) for column in share.T]
        for name, share in (('f', recall.frame_recall), ('v', recall.video_recall))
    }
    scored = [video.label == video.predicted for video, kept in videos if kept]
    return dict(
        means,
        **{f'{name}_present_classes': values for name, values in means.items()},
        num_classes=num_classes,
        thresholds=THRESHOLDS,
        accuracy=recall.accuracy,
        n_correct=sum(scored),
        n_tot_frames=recall.num_frames,
        n_vids=recall.num_videos,
        f_AP_per_class=recall.frame_recall,
        v_AP_per_class=recall.video_recall,
        per_video=[of_video(*video) for video in videos],
    )


def of_video(video, kept):
    scored = video.counts.gt_area > 0
    if not kept:
        assert video.predicted == -1 and not scored.any()
        return None
    inter, pred, gt = (count[scored].sum() for count in video.counts)
    return dict(
        pred=video.predicted,
        n_gt_frames=scored.sum(),
        inter=inter,
        union=pred + gt - inter,
        n_clips_kept=kept,
    )


def vos():
    pairs = list(golden.vos_pairs())
    cases = [
        dict(
            height=len(gt),
            width=gt.shape[1],
            J=region_similarity(pred, gt),
            F=boundary_accuracy(pred, gt),
            bound_pix=boundary_radius(gt.shape),
        )
        for pred, gt in pairs
    ]
    means = {f'mean_{key}': np.mean([case[key] for case in cases]) for key in 'JF'}
    return dict(cases=cases, **means)


def geometry(item):
    """Foreground of an annotation in the middle 224 x 224 pixels, painted twice."""
    names = [video['name'] for video in golden.expected('videos')['videos']]
    tubes = [t for t in golden.gt_tubes() if names[t.video] == item['video']]
    tube, size = tubes[item['annotation']], (240, 320)
    # the released loader takes x1, y1, w, h as slices
    boxes = np.full((item['num_frames'], 4), np.nan)
    boxes[tube.start : tube.start + len(tube.boxes)] = tube.boxes - [0, 0, 1, 1]
    crop = np.array([48 / 320, 8 / 240, 224 / 320, 224 / 240])
    painted = TubesToMask().transform(
        dict(
            gt_tubes=boxes[None], frame_inds=np.arange(len(boxes)), original_shape=size
        )
    )
    mask = painted['gt_mask'][:, 8:232, 48:272] > 0
    np.testing.assert_array_equal(mask, inside_boxes(boxes, (224, 224), crop, size))
    rows = []
    for frame, shown in enumerate(mask):
        y, x = np.nonzero(shown)
        if len(x):
            extent = x.min(), y.min(), x.max() + 1, y.max() + 1
            rows.append([frame, len(x), *extent])
    return dict(item, rows=np.array(rows))
