"""Videos that an annotation file lists and nobody has evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssvad.annotations import load_annotations, read_split

from .tubes import Track


def unseen_records(
    records: Sequence[dict],
    num_classes: int,
    ann_file: str | Path,
    split_file: str | Path | None = None,
) -> list[dict]:
    """Records of the videos that should have come, without any detection.

    Args:
        records: one per video that came.
        num_classes: K.
        ann_file: annotation file of the data set.
        split_file: list of the videos to expect; None expects all.

    Raises:
        ValueError: if a video came that is not expected.
    """
    videos = {video['id']: video for video in load_annotations(ann_file)['videos']}
    expected = videos if split_file is None else read_split(split_file)
    seen = {record['video_id'] for record in records}
    strangers = sorted(seen - set(expected))
    if strangers or not set(expected) <= set(videos):
        strangers = strangers or sorted(set(expected) - set(videos))
        raise ValueError(
            f'{len(strangers)} videos are not in {split_file or ann_file} or not '
            f'annotated in {ann_file}, first {strangers[0]!r}; the evaluator must read '
            'the files of the dataset'
        )
    return [_record(videos[name], num_classes) for name in expected if name not in seen]


def _record(video: dict, num_classes: int) -> dict:
    tubes = video['tubes']
    labels = np.array([tube['label'] for tube in tubes], np.int64)
    tracks = [Track(tube['start'], np.array(tube['boxes'], float)) for tube in tubes]
    return dict(
        video_id=video['id'],
        clip_id=-1,
        num_frames=video['num_frames'],
        frames=np.zeros(0, np.int32),
        label=int(labels[0]) if len(labels) else -1,
        class_scores=np.zeros(num_classes),
        num_clips=0,
        standard=dict(
            detected=dict(
                frame=np.zeros(0, np.int32), boxes=np.zeros((0, 4)), prob=np.zeros(0)
            ),
            tracks=[],
            gt_tracks=[track._asdict() for track in tracks],
            gt_labels=labels,
        ),
    )
