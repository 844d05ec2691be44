"""Tubes from boxes, class by class, for detectors that write no tubes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detections.suppression import suppress_soft
from ssvad.evaluation.boxes import as_measured, inclusive_to_half_open
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tube_linking import link_boxes, link_members
from ssvad.evaluation.tubes import Tube
from ssvad.evaluation.viterbi_linking import link_whole_video

# MOC-Detector's, which the evaluation of MultiSports has from there
MOC = dict(iou_thr=0.5, max_gap=1, min_len=15, topk=10, min_score=0.005)


def link_by_class(
    found: FrameBoxes,
    num_frames: Sequence[int],
    linker: str,
    options: Mapping[str, Any],
) -> list[Tube]:
    """Link the boxes of each class in each video.

    Args:
        found: boxes of all videos.
        num_frames: of each video; only 'viterbi' asks for it.
        linker: 'greedy' for `link_boxes` (ACT, MOC), 'viterbi' for `link_whole_video`
            (YOWO), 'multisports' for `link_multisports`.
        options: arguments of that function.
    """
    if linker == 'multisports':
        return link_multisports(found, **options)
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


def link_multisports(found: FrameBoxes, as_released: bool = False) -> list[Tube]:
    """Link as the evaluation of MultiSports in MMAction2 1.2, for boxes not suppressed.

    Soft suppression, then MOC's linking with boxes measured a pixel narrower and lower.

    Args:
        found: boxes of all videos.
        num_frames: of each video.
        as_released: with the released code's mistake, by which all boxes have the score
            of the last one of all. Tubes are then ranked by chance: hardly any two
            scores differ, and the value depends on how NumPy sorts equal ones. This is
            what a stable sort gives, and the released code up to 16 tubes of a class.

    Returns:
        Tubes of a video and class in the order of their ends.
    """
    if as_released:
        found = found._replace(scores=np.repeat(found.scores[-1:], len(found.scores)))
    # of equal boxes the released code prefers the last
    found = found.take(np.arange(len(found.scores))[::-1])
    found = suppress_soft(found, found.label.max(initial=0) + 1)
    found = found._replace(boxes=as_measured(found.boxes, 'exclusive'))
    tubes = link_by_class(found, (), 'greedy', MOC)
    return [
        tube._replace(boxes=inclusive_to_half_open(tube.boxes))
        for tube in sorted(tubes, key=lambda tube: tube.start + len(tube.boxes))
    ]


# the linkers, and which functions' arguments they take
LINKERS = {
    'greedy': link_members,
    'viterbi': link_whole_video,
    'multisports': link_multisports,
}
