"""Report of the capsule protocol over the records of all videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .average_precision import mean_over_present
from .capsule_recall import THRESHOLDS, CapsuleVideo, FrameCounts, capsule_recall
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
) -> ProtocolReport:
    """Score all videos by the capsule protocol.

    Args:
        records: one per video, see `FrameVideoMAP.reduce`.
        classes: K names.
        thresholds: see `named_thresholds`; ranges are reported for videos only.
    """
    videos = [
        CapsuleVideo(
            record['label'],
            record['capsule']['kept_class'],
            FrameCounts(**record['capsule']['counts']),
        )
        for record in records
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
        'annotation policy': 'union of all actors inside the crop',
        'videos': len(records),
        'videos scored': int(recall.num_videos.sum()),
        'frames': sum(record['num_frames'] for record in records),
        'frames scored': int(recall.num_frames.sum()),
        'classes without ground truth, left out of the means': [
            name for name, num in zip(classes, recall.num_videos) if not num
        ],
    }
    table = {
        'class': list(classes),
        'videos': recall.num_videos.tolist(),
        'frames': recall.num_frames.tolist(),
        **{key: column.tolist() for key, column in columns.items()},
    }
    metrics['capsule_acc'] = 100 * recall.accuracy
    return ProtocolReport(NOTE, metrics, facts, table)
