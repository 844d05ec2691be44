"""Report of the standard protocol over the records of all videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .average_precision import mean_over_present
from .detections import (
    boxes_of_tubes,
    classify_boxes,
    classify_tracks,
    concatenate_boxes,
    top_classes,
)
from .frame_ap import frame_ap
from .mask_to_boxes import MaskBoxes
from .report import ProtocolReport
from .thresholds import mean_per_threshold
from .tubes import Track, Tube
from .video_ap import video_ap

NOTE = (
    'Standard protocol (ACT): average precision over detections ranked by score, on '
    'all frames; wrong classes and detections without ground truth are errors.'
)


def standard_report(
    records: Sequence[Mapping],
    classes: Sequence[str],
    frame_thrs: Mapping[str, np.ndarray],
    video_thrs: Mapping[str, np.ndarray],
    tube_nms: float | None,
    topk_classes: int,
    min_class_score: float,
) -> ProtocolReport:
    """Score all videos by the standard protocol.

    Args:
        records: one per video, see `FrameVideoMAP.reduce`.
        classes: K names.
        frame_thrs: for frame-mAP, see `named_thresholds`.
        video_thrs: for video-mAP.
        tube_nms: see `video_ap`.
        topk_classes: see `top_classes`.
        min_class_score: see `top_classes`.
    """
    gt_tubes, det_tubes, det_boxes = [], [], []
    for video, record in enumerate(records):
        found, scores = record['standard'], record['class_scores']
        labels = top_classes(scores, topk_classes, min_class_score)
        boxes = MaskBoxes(**found['detected'])
        tracks = [Track(**track) for track in found['tracks']]
        det_boxes.append(classify_boxes(boxes, video, scores, labels))
        det_tubes += classify_tracks(tracks, video, scores, labels)
        gt_tubes += [
            Tube(video, int(label), **track)
            for label, track in zip(found['gt_labels'], found['gt_tracks'])
        ]
    gt_boxes, det_boxes = boxes_of_tubes(gt_tubes), concatenate_boxes(det_boxes)

    num = len(classes)
    grid = _grid(frame_thrs)
    frames = mean_per_threshold(
        frame_thrs, grid, frame_ap(gt_boxes, det_boxes, num, grid)
    )
    grid = _grid(video_thrs)
    videos = mean_per_threshold(
        video_thrs, grid, video_ap(gt_tubes, det_tubes, num, grid, tube_nms)
    )
    columns = {f'frame_mAP@{name}': column for name, column in frames.items()}
    columns.update({f'video_mAP@{name}': column for name, column in videos.items()})
    metrics = {key: mean_over_present(column) for key, column in columns.items()}
    metrics['video_acc'] = _accuracy(records)

    numbers = {
        name: np.bincount(np.array(labels, int), minlength=num).tolist()
        for name, labels in (
            ('tubes', [tube.label for tube in gt_tubes]),
            ('boxes', gt_boxes.label),
            ('detected tubes', [tube.label for tube in det_tubes]),
            ('detected boxes', det_boxes.label),
        )
    }
    facts = {
        'annotation policy': 'every actor is a tube of its own',
        'videos': len(records),
        'frames': sum(record['num_frames'] for record in records),
        **{name: sum(column) for name, column in numbers.items()},
        'classes without ground truth, left out of the means': [
            name for name, tubes in zip(classes, numbers['tubes']) if not tubes
        ],
    }
    table = {
        'class': list(classes),
        **numbers,
        **{key: column.tolist() for key, column in columns.items()},
    }
    return ProtocolReport(NOTE, metrics, facts, table)


def _grid(named: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0), *named.values()]))


def _accuracy(records: Sequence[Mapping]) -> float:
    """Percentage of the labelled videos whose mean over all clips names the class."""
    right = [r['class_scores'].argmax() == r['label'] for r in records]
    labelled = sum(record['label'] >= 0 for record in records)
    return 100 * float(sum(right)) / max(labelled, 1)
