"""From the records of whole videos to ranked detections and ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Callable

import numpy as np

from .clip_scores import classify_boxes_by_clip, classify_tracks_by_clip
from .conventions import Convention
from .detections import (
    classify_boxes,
    classify_tracks,
    concatenate_boxes,
    top_classes,
)
from .frame_ap import FrameBoxes
from .mask_to_boxes import MaskBoxes
from .report import ProtocolReport
from .standard_protocol import evaluate_detections
from .thresholds import Threshold
from .tubes import Track, Tube


def standard_report(
    records: Sequence[Mapping],
    classes: Sequence[str],
    convention: Convention,
    frame_thrs: Sequence[Threshold],
    video_thrs: Sequence[Threshold],
    error_thr: float | None,
    topk_classes: int,
    min_class_score: float,
    link_members: Callable[..., list[np.ndarray]],
) -> ProtocolReport:
    """Score all videos by the standard protocol.

    Args:
        records: one per video, see `FrameVideoMAP.reduce`.
        classes: K names.
        convention: see `evaluate_detections`, as the next three.
        frame_thrs: for frame-mAP.
        video_thrs: for video-mAP.
        error_thr: for the error analysis.
        topk_classes: see `top_classes`.
        min_class_score: see `top_classes`.
        link_members: see `detections_of`.
    """
    truth, boxes, tubes = detections_of(
        records, topk_classes, min_class_score, link_members
    )
    report = evaluate_detections(
        *(truth, boxes, convention),
        classes=classes,
        tubes=tubes,
        frame_thrs=frame_thrs,
        video_thrs=video_thrs,
        error_thr=error_thr,
    )
    report['metrics']['video_acc'] = _accuracy(records)
    report['facts'] = {
        'videos': len(records),
        'frames': sum(record['num_frames'] for record in records),
        **report['facts'],
    }
    unseen = sum(record['num_clips'] == 0 for record in records)
    if unseen:
        report['facts']['videos never seen, counted as missed'] = unseen
    return ProtocolReport(**report)


def detections_of(
    records: Sequence[Mapping],
    topk_classes: int,
    min_class_score: float,
    link_members: Callable[..., list[np.ndarray]],
) -> tuple[list[Tube], FrameBoxes, list[Tube]]:
    """Ground truth, detected boxes and detected tubes; a record's index is its video.

    Every box and track is reported once for each of its video's best classes, or, if
    the records hold `frame_scores`, of the clips that it is in.

    Args:
        records: one per video, see `FrameVideoMAP.reduce`.
        topk_classes: see `top_classes`.
        min_class_score: see `top_classes`.
        link_members: links the boxes again for the scores of clips, called with
            frames, boxes, scores.
    """
    truth, boxes, tubes = [], [], []
    for video, record in enumerate(records):
        found, scores = record['standard'], record['class_scores']
        labels = top_classes(scores, topk_classes, min_class_score)
        in_frames = MaskBoxes(**found['detected'])
        if 'frame_scores' in record:
            best = video, record['frame_scores'], topk_classes, min_class_score
            boxes.append(classify_boxes_by_clip(in_frames, *best))
            linked = link_members(*in_frames)
            tubes += classify_tracks_by_clip(linked, in_frames, *best)
        else:
            boxes.append(classify_boxes(in_frames, video, scores, labels))
            tracks = [Track(**track) for track in found['tracks']]
            tubes += classify_tracks(tracks, video, scores, labels)
        truth += [
            Tube(video, int(label), **track)
            for label, track in zip(found['gt_labels'], found['gt_tracks'])
        ]
    return truth, concatenate_boxes(boxes), tubes


def _accuracy(records: Sequence[Mapping]) -> float:
    """Percentage of the labelled videos whose mean over all clips names the class."""
    right = [
        record['num_clips'] > 0 and record['class_scores'].argmax() == record['label']
        for record in records
    ]
    labelled = sum(record['label'] >= 0 for record in records)
    return 100 * float(np.sum(right)) / max(labelled, 1)
