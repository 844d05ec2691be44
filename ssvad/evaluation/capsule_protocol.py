"""Report of the capsule protocol over the records of all videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .average_precision import mean_over_present
from .capsule_recall import (
    THRESHOLDS,
    CapsuleVideo,
    FrameCounts,
    capsule_recall,
    kept_clip_class,
)
from .capsule_truth import POLICIES
from .report import ProtocolReport
from .thresholds import mean_per_threshold

NOTE = (
    'Capsule protocol. WARNING: this is a class-agnostic localisation recall on '
    'annotated frames (no ranking, no false positives, no class check); it is NOT '
    'comparable with the average precision of the standard protocol.'
)


def capsule_report(
    records: Sequence[Mapping],
    classes: Sequence[str],
    thresholds: Mapping[str, np.ndarray],
    annotation: str = 'union',
) -> ProtocolReport:
    """Score all videos by the capsule protocol.

    Args:
        records: one per video, see `FrameVideoMAP.reduce`; videos never seen have no
            'capsule' entry and cannot be scored.
        classes: K names.
        thresholds: see `named_thresholds`; ranges are reported for videos only.
        annotation: policy the records were made with, see `capsule_truths`.
    """
    seen = [record for record in records if 'capsule' in record]
    videos = [
        CapsuleVideo(
            truth['label'],
            kept_clip_class(truth['kept_scores'], truth['num_kept']),
            FrameCounts(**truth['counts']),
            truth['weight'],
        )
        for record in seen
        for truth in record['capsule']
    ]
    recall = capsule_recall(videos, len(classes))
    single = {name: thrs for name, thrs in thresholds.items() if len(thrs) == 1}
    columns = {}
    for kind, named, share in (
        ('f', single, recall.frame_recall),
        ('v', thresholds, recall.video_recall),
    ):
        picked = mean_per_threshold(named, THRESHOLDS, share.T)
        columns.update({f'capsule_{kind}_mAP@{name}': picked[name] for name in picked})
    metrics = {key: mean_over_present(column) for key, column in columns.items()}
    facts = {
        'annotation policy': POLICIES[annotation],
        'videos': len(records),
        'videos scored': _count(recall.num_videos.sum()),
        'frames': sum(record['num_frames'] for record in records),
        'frames scored': _count(recall.num_frames.sum()),
        'classes without ground truth, left out of the means': [
            name for name, num in zip(classes, recall.num_videos) if not num
        ],
    }
    if len(seen) < len(records):
        facts['videos never seen, left out'] = len(records) - len(seen)
    table = {
        'class': list(classes),
        'videos': [_count(num) for num in recall.num_videos],
        'frames': [_count(num) for num in recall.num_frames],
        **{key: column.tolist() for key, column in columns.items()},
    }
    metrics['capsule_acc'] = 100 * recall.accuracy
    return ProtocolReport(NOTE, metrics, facts, table)


def _count(weight: float) -> float:
    """A number of videos or frames, whole unless several truths share a video."""
    return int(round(weight)) if abs(weight - round(weight)) < 1e-6 else float(weight)
