"""Ground truth to evaluate against: an annotation file, or the npz of the references.

``gt.npz`` needs a ``videos.json`` beside it, ``{'classes': [name], 'videos': [{'name',
'num_frames'}]}``. Its arrays are those of a file of tubes (see `npz_files`), named
``tube_video``, ``tube_label``, ``tube_start``, ``box_offset`` and ``boxes``.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from conversion.values import whole
from ssvad.annotations import load_annotations
from ssvad.evaluation.tubes import Tube

from .npz_files import read_npz_truth_tubes
from .rows import ONE_BASED, Target


class Truth(NamedTuple):
    """What is to be found.

    Attributes:
        classes: names of the K classes.
        names: ids of the videos; a tube's ``video`` is an index into them.
        num_frames: of each video.
        tubes: of all videos; half-open pixels, frames and labels from 0.
    """

    classes: list[str]
    names: list[str]
    num_frames: list[int]
    tubes: list[Tube]


def read_truth(path: Path, chosen: Collection[str] | None = None) -> Truth:
    """Read the ground truth.

    Args:
        path: annotation file, or a ``gt.npz``.
        chosen: ids of the videos to keep, in the file's order; None keeps all.

    Raises:
        ValueError: the file breaks a rule, or lacks a chosen video.
        OSError: it cannot be read.
    """
    truth = _from_npz(path) if path.suffix == '.npz' else _from_annotations(path)
    if chosen is None:
        return truth
    chosen = set(chosen)
    missing = sorted(chosen - set(truth.names))
    if missing:
        raise ValueError(
            f"{path}: lacks {len(missing)} videos of the split, first '{missing[0]}'"
        )
    kept = [i for i, name in enumerate(truth.names) if name in chosen]
    new = {old: i for i, old in enumerate(kept)}
    return Truth(
        truth.classes,
        [truth.names[i] for i in kept],
        [truth.num_frames[i] for i in kept],
        [t._replace(video=new[t.video]) for t in truth.tubes if t.video in new],
    )


def _from_annotations(path: Path) -> Truth:
    data = load_annotations(path)
    videos = data['videos']
    return Truth(
        data['classes'],
        [video['id'] for video in videos],
        [video['num_frames'] for video in videos],
        [
            Tube(i, tube['label'], tube['start'], np.array(tube['boxes'], np.float64))
            for i, video in enumerate(videos)
            for tube in video['tubes']
        ],
    )


def _from_npz(path: Path) -> Truth:
    beside = path.with_name('videos.json')
    try:
        meta = json.loads(beside.read_text(encoding='utf-8-sig'))
        classes = [str(name) for name in meta['classes']]
        names = [str(video['name']) for video in meta['videos']]
        frames = [video['num_frames'] for video in meta['videos']]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{beside}: expected {{'classes': [name], 'videos': [{{'name', "
            f"'num_frames'}}]}}, failed at {error!r}"
        ) from error
    for i, value in enumerate(frames):
        frames[i] = whole(value, f'{beside}: video {i}: num_frames')
    if len(set(names)) < len(names):
        raise ValueError(f'{beside}: a video name occurs twice')
    target = Target(classes, names, frames, names, ONE_BASED)
    return Truth(classes, names, frames, read_npz_truth_tubes(path, target))
