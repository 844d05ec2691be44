"""What an evaluation has found, and the parts of a report that show it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ssvad.evaluation.conventions import Convention
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.thresholds import Threshold
from ssvad.evaluation.tubes import Tube
from ssvad.visualization.evaluation_pictures import write_pictures
from ssvad.visualization.report_page import (
    Facts,
    Note,
    Numbers,
    Picture,
    Section,
    Table,
    data_uri,
)

TITLES = {'standard': 'Standard protocol', 'capsule': 'Capsule protocol'}
WARNING = (
    'Two protocols, never to be mixed: a number of this one must not stand beside, '
    'above or below a number of the other.'
)
NOTES = {
    'standard': 'Average precision: detections ranked by score, right class, every '
    'frame counts. Comparable with other detectors by the same convention.',
    'capsule': 'Recall of masks on annotated frames, whatever the class; false '
    'positives cost nothing. Comparable only with papers of the capsule line, by the '
    'same annotation policy.',
}
MAIN = {
    'standard': (
        *('frame_mAP@0.50', 'video_mAP@0.20', 'video_mAP@0.50'),
        *('video_mAP@0.50-0.95', 'video_acc'),
    ),
    'capsule': (
        *('capsule_f_mAP@0.20', 'capsule_f_mAP@0.50', 'capsule_v_mAP@0.20'),
        *('capsule_v_mAP@0.50', 'capsule_acc'),
    ),
}
STUDENT, TEACHER = 'student', 'teacher'
CAPTIONS = {
    'class_ap': 'Average precision of every class; the dashed line is the mean.',
    'precision_recall_frame': 'Precision over recall of boxes on frames.',
    'precision_recall_video': 'Precision over recall of tubes.',
    'errors': 'What keeps each class from 100.',
    'timelines': 'When actors act and when tubes say so, in videos spread over the '
    'test list.',
}


class VideoFile(NamedTuple):
    """Where a video lies and the size that its boxes are meant for."""

    path: str
    width: int | None = None
    height: int | None = None


class Evaluation(NamedTuple):
    """Truth, detections and what the protocols say of them.

    Attributes:
        classes: K names.
        names: ids of the videos.
        num_frames: of each video.
        truth: annotated tubes of all videos.
        boxes: detected boxes; None if none were given.
        tubes: detected tubes; None if none were given.
        convention: of the standard protocol.
        frame_thrs: of frame-mAP.
        video_thrs: of video-mAP.
        error_thr: IoU of the error analysis.
        reports: protocol -> fields of a ``ProtocolReport``.
        files: id of a video -> its file; may lack videos.
        masks: id of a video -> mask, see ``report_run``; may lack videos.
    """

    classes: Sequence[str]
    names: Sequence[str]
    num_frames: Sequence[int]
    truth: Sequence[Tube]
    boxes: FrameBoxes | None
    tubes: Sequence[Tube] | None
    convention: Convention
    frame_thrs: Sequence[Threshold]
    video_thrs: Sequence[Threshold]
    error_thr: float
    reports: Mapping[str, Mapping]
    files: Mapping[str, VideoFile]
    masks: Mapping[str, tuple]


def split_metrics(metrics: Mapping[str, float]) -> dict[str, dict[str, dict]]:
    """Sort metrics: protocol, or '' for others -> key -> network -> value.

    Args:
        metrics: as mmengine logs them, with prefixes: ``teacher/stad/video_acc``.
    """
    found: dict[str, dict[str, dict]] = {'standard': {}, 'capsule': {}, '': {}}
    for key, value in metrics.items():
        protocol, network, name = metric_name(key)
        if name not in ('step', 'time', 'data_time'):
            found[protocol].setdefault(name, {})[network] = value
    return found


def metric_name(key: str) -> tuple[str, str, str]:
    """Protocol, network and name of a logged metric; others keep their prefix."""
    network = TEACHER if key.startswith(f'{TEACHER}/') else STUDENT
    name = key.rpartition('/')[2]
    if name.startswith(('frame_', 'video_')):
        return 'standard', network, name
    if name.startswith('capsule_'):
        return 'capsule', network, name
    return '', network, key.removeprefix(f'{TEACHER}/')


def protocol_section(
    protocol: str, metrics: Mapping[str, Mapping], report: Mapping | None
) -> Section | None:
    """Numbers, facts and tables of one protocol; None if it was not evaluated.

    Args:
        protocol: 'standard' or 'capsule'.
        metrics: key -> network -> percent.
        report: fields of its ``ProtocolReport``; None if only metrics are known.
    """
    if not metrics:
        return None
    networks = list(dict.fromkeys(name for row in metrics.values() for name in row))
    first = networks[0]
    blocks: list = [Note(NOTES[protocol]), Note(WARNING, 'warning')]
    main = [
        (k, metrics[k][first]) for k in MAIN[protocol] if first in metrics.get(k, ())
    ]
    blocks.append(Numbers(main))
    if networks[1:]:
        blocks.append(
            Note(f'These are of the {first}, as all that follows; the table has both.')
        )
    columns = {
        name if networks[1:] else 'value': [row.get(name) for row in metrics.values()]
        for name in networks
    }
    table = {'metric': list(metrics), **columns}
    blocks.append(Table(table, 'All metrics (%)', folded=True))
    if report is not None:
        blocks += _report_blocks(report)
    return Section(protocol, TITLES[protocol], blocks, protocol)


def _report_blocks(report: Mapping) -> list:
    (first, names), *rest = report['per_class'].items()
    groups: dict[str, dict] = {
        'Per class': {},
        'Errors per class (%)': {},
        'Counts': {},
    }
    for key, cells in rest:
        group = 'Errors per class (%)' if key.startswith('frame_err_') else 'Per class'
        group = 'Counts' if key.startswith(('num_', 'frame_recall@')) else group
        groups[group][key] = cells
    facts = [
        (name, ', '.join(map(str, fact)) or 'none' if isinstance(fact, list) else fact)
        for name, fact in report['facts'].items()
    ]
    tables = [
        Table({first: names, **columns}, title, title != 'Per class')
        for title, columns in groups.items()
        if columns
    ]
    return [tables[0], Facts(facts), *tables[1:]]


def chart_blocks(evaluation: Evaluation) -> list:
    """Precision over recall, bars of classes, errors and timelines."""
    report = evaluation.reports['standard']
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(
            *(folder, evaluation.truth, evaluation.boxes, evaluation.convention),
            classes=evaluation.classes,
            names=evaluation.names,
            num_frames=evaluation.num_frames,
            per_class=_nan_for_null(report['per_class']),
            tubes=evaluation.tubes,
            frame_thrs=evaluation.frame_thrs,
            video_thrs=evaluation.video_thrs,
            error_thr=evaluation.error_thr,
        )
        uris = {Path(p).stem: data_uri(Path(p).read_bytes(), '.png') for p in paths}
    blocks: list = [
        Picture(uris[name], text, (text,))
        for name, text in CAPTIONS.items()
        if name in uris
    ]
    for what, names in (
        ('boxes', 'precision over recall of boxes, no error analysis'),
        ('tubes', 'precision over recall of tubes, no timelines, no clips'),
    ):
        if getattr(evaluation, what) is None:
            blocks.append(Note(f'No {what} were given: no {names}.', 'missing'))
    return blocks


def _nan_for_null(columns: Mapping[str, Sequence]) -> dict[str, list]:
    return {
        key: [float('nan') if cell is None else cell for cell in cells]
        for key, cells in columns.items()
    }
