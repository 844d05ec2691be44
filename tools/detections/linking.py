"""Tubes from boxes, class by class, for detectors that write no tubes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tube_linking import link_boxes
from ssvad.evaluation.tubes import Tube
from ssvad.evaluation.viterbi_linking import link_whole_video

LINKERS = ('greedy', 'viterbi')


def link_by_class(
    found: FrameBoxes,
    num_frames: Sequence[int],
    linker: str,
    options: Mapping[str, Any],
) -> list[Tube]:
    """Link the boxes of each class in each video.

    Args:
        found: boxes of all videos.
        num_frames: of each video.
        linker: 'greedy' for `link_boxes` (ACT, MOC), 'viterbi' for `link_whole_video`
            (YOWO).
        options: arguments of that function.
    """
    tubes = []
    order = np.lexsort((found.label, found.video))
    whose = np.stack([found.video[order], found.label[order]], axis=1)
    starts = np.flatnonzero(np.r_[True, (np.diff(whose, axis=0) != 0).any(axis=1)])
    for rows in np.split(order, starts[1:]) if len(order) else []:
        video, label = int(found.video[rows[0]]), int(found.label[rows[0]])
        boxes = found.frame[rows], found.boxes[rows], found.scores[rows]
        if linker == 'greedy':
            tracks = link_boxes(*boxes, **options)
        else:
            tracks = link_whole_video(*boxes, num_frames[video], **options)
        tubes += [Tube(video, label, *track) for track in tracks]
    return tubes
