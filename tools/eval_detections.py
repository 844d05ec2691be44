"""Evaluate the detections of any detector from files, by the standard protocol.

    python tools/eval_detections.py data/ucf24/annotations.json \
        --split data/ucf24/splits/test.txt --boxes boxes.npz --tubes tubes.npz

Ground truth is an annotation file of this project, or a `gt.npz` with its
`videos.json`. Boxes and tubes are npz files, COCO-style JSON files, or what ACT and MOC
leave behind: a `frame_detections.pkl`, or the folder of their results. The modules of
`tools/detections` and `docs/evaluating_other_detectors.md` describe them all. Nothing
that a pickle names is run.

Exit status: 0 if evaluated, 1 if a file is missing or malformed (the message names
file, row and value), 2 if the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from conversion.findings import Findings
from detections.act_pickles import read_act_boxes, read_act_folder, read_act_tubes
from detections.coco_files import read_coco_boxes, read_coco_tubes
from detections.linking import LINKERS, link_by_class
from detections.npz_files import read_npz_boxes, read_npz_tubes
from detections.rows import PIXELS, Layout, Target
from detections.suppression import suppress_hard, suppress_soft
from detections.truth import Truth, read_truth
from ssvad.annotations import read_split
from ssvad.evaluation.conventions import PRESETS, get_convention
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.report import ProtocolReport, write_json
from ssvad.evaluation.standard_protocol import (
    FRAME_THRS,
    VIDEO_THRS,
    evaluate_detections,
)
from ssvad.evaluation.thresholds import named_thresholds
from ssvad.evaluation.tubes import Tube
from ssvad.visualization.evaluation_pictures import write_pictures

SUPPRESSIONS = {'hard': suppress_hard, 'soft': suppress_soft}
WRITERS = {'act': 'hard', 'moc': 'soft'}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; leave with status 2 if it is wrong."""
    parser = argparse.ArgumentParser(
        description='Evaluate detections from files by the standard protocol.',
    )
    add = parser.add_argument
    add('truth', type=Path, help='annotation file, or gt.npz')
    add('--boxes', type=Path, help='boxes for frame-mAP: .npz, .json, .pkl or a folder')
    add('--tubes', type=Path, help='tubes for video-mAP: .npz, .json or a folder')
    add('--link', choices=LINKERS, help='make the tubes from the boxes')
    add(
        '--link-options',
        type=option,
        nargs='+',
        default=[],
        metavar='key=value',
        help='arguments of the linker, e.g. iou_thr=0.5 max_gap=1',
    )
    add('--split', type=Path, help='list of the videos to evaluate on')
    add('--video-list', type=Path, help='the videos in the order the files number them')
    add('--skip-unknown', action='store_true', help='leave out boxes of other videos')
    add('--coco-tables', type=Path, help="JSON file with 'images', 'videos', ...")
    add('--pixel', choices=PIXELS, help='how the files count pixels')
    add('--first-frame', type=int, choices=[0, 1], help='number of the first frame')
    add(
        '--suppress',
        choices=['none', *SUPPRESSIONS],
        help='what is done to boxes of one frame and class (folder of ACT: hard, of '
        'MOC: soft, else none)',
    )
    add('--suppress-iou', type=float, help='hard: 0.3, soft: 0.6')
    add('--preset', choices=PRESETS, default='act', help='convention (act)')
    add(
        '--override',
        type=option,
        nargs='+',
        default=[],
        metavar='key=value',
        help='fields of the convention, e.g. tube_nms=null ap=voc',
    )
    add('--frame-thrs', type=threshold, nargs='+', default=FRAME_THRS, help='0.2 0.5')
    add(
        '--video-thrs',
        type=threshold,
        nargs='+',
        default=VIDEO_THRS,
        help='0.2 0.5 0.75 0.5:0.95:0.05, the last averaged over',
    )
    add('--error-thr', type=float, default=0.5, help='IoU of the error analysis (0.5)')
    add('--out-file', type=Path, help='JSON file for the result')
    add('--pictures', type=Path, metavar='DIR', help='folder for pictures of it')
    args = parser.parse_args(argv)
    if args.boxes is None and args.tubes is None:
        parser.error('nothing to evaluate: give --boxes, --tubes or both')
    if args.link and (args.boxes is None or args.tubes is not None):
        parser.error('--link makes tubes from --boxes, and --tubes are given or not')
    try:
        get_convention(args.preset, **dict(args.override))
        named_thresholds([*args.frame_thrs, *args.video_thrs, args.error_thr])
        linker = LINKERS[args.link or 'greedy']
        signature(linker).bind_partial(**dict(args.link_options))
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    return args


def option(text: str) -> tuple[str, Any]:
    """Read ``key=value``; the value is JSON, or a text."""
    key, equals, value = text.partition('=')
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"expected key=value, got '{text}'")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def threshold(text: str) -> float | list[float]:
    """Read ``0.5``, or ``0.5:0.95:0.05``: first, last, step."""
    values = [float(part) for part in text.split(':')]
    return values if len(values) > 1 else values[0]


def read_boxes(
    args: argparse.Namespace, truth: Truth, findings: Findings
) -> FrameBoxes:
    """Read ``--boxes`` and suppress what is to be suppressed."""

    def suppress(boxes: FrameBoxes, writer: str | None) -> FrameBoxes:
        kind = args.suppress or WRITERS.get(writer, 'none')
        if kind == 'none':
            return boxes
        kwargs = {} if args.suppress_iou is None else {'iou_thr': args.suppress_iou}
        return SUPPRESSIONS[kind](boxes, len(truth.classes), **kwargs)

    path = args.boxes
    target = make_target(args, truth, path, findings)
    if path.is_dir():
        return read_act_folder(path, target, suppress)
    read = {
        '.npz': read_npz_boxes,
        '.json': partial(read_coco_boxes, tables_path=args.coco_tables),
        '.pkl': read_act_boxes,
    }
    return suppress(_of_kind(read, path)(path, target), None)


def read_tubes(
    args: argparse.Namespace, truth: Truth, findings: Findings
) -> list[Tube]:
    """Read ``--tubes``."""
    path = args.tubes
    target = make_target(args, truth, path, findings)
    if path.is_dir():
        return read_act_tubes(path, target)
    read = {
        '.npz': read_npz_tubes,
        '.json': partial(read_coco_tubes, tables_path=args.coco_tables),
    }
    return _of_kind(read, path)(path, target)


def make_target(
    args: argparse.Namespace, truth: Truth, path: Path, findings: Findings
) -> Target:
    """What the detections of a file are compared with, and how it counts."""
    plain = path.suffix == '.json'
    layout = Layout(
        (0 if plain else 1) if args.first_frame is None else args.first_frame,
        args.pixel or ('half-open' if plain else 'one-based'),
    )
    listed = truth.names if args.video_list is None else read_split(args.video_list)
    skipped = findings if args.skip_unknown else None
    return Target(truth.classes, truth.names, truth.num_frames, listed, layout, skipped)


def read_files(
    args: argparse.Namespace,
) -> tuple[Truth, FrameBoxes | None, list[Tube] | None, Findings]:
    """Truth, boxes, tubes, and what is to be said of them.

    Raises:
        ValueError: a file is malformed.
        OSError: a file cannot be read.
    """
    findings = Findings()
    chosen = None if args.split is None else read_split(args.split)
    truth = read_truth(args.truth, chosen)
    boxes = tubes = None
    if args.boxes is not None:
        boxes = read_boxes(args, truth, findings)
    if args.tubes is not None:
        tubes = read_tubes(args, truth, findings)
    elif args.link:
        options = dict(args.link_options)
        tubes = link_by_class(boxes, truth.num_frames, args.link, options)
    for kind, found in (
        ('boxes', () if boxes is None else boxes.video.tolist()),
        ('tubes', [tube.video for tube in tubes or ()]),
    ):
        for video in sorted(set(range(len(truth.names))) - set(found)) if found else ():
            findings.add(f'videos without detected {kind}', truth.names[video])
    return truth, boxes, tubes, findings


def evaluate(args: argparse.Namespace) -> ProtocolReport:
    """Read all files, evaluate, and draw the pictures asked for.

    Raises:
        ValueError: a file is malformed.
        OSError: a file cannot be read, or a picture not be written.
    """
    return judge(args, *read_files(args))


def judge(
    args: argparse.Namespace,
    truth: Truth,
    boxes: FrameBoxes | None,
    tubes: list[Tube] | None,
    findings: Findings,
) -> ProtocolReport:
    """Evaluate what `read_files` gives, and draw the pictures asked for.

    Raises:
        OSError: a picture cannot be written.
    """
    convention = get_convention(args.preset, **dict(args.override))
    same = dict(
        classes=truth.classes,
        tubes=tubes,
        frame_thrs=args.frame_thrs,
        video_thrs=args.video_thrs,
        error_thr=args.error_thr,
    )
    result = evaluate_detections(truth.tubes, boxes, convention, **same)
    if args.pictures is not None:
        write_pictures(
            *(args.pictures, truth.tubes, boxes, convention),
            names=truth.names,
            num_frames=truth.num_frames,
            per_class=result['per_class'],
            **same,
        )
    result['facts'] = {
        'ground truth': args.truth.name,
        'detections': ', '.join(p.name for p in (args.boxes, args.tubes) if p),
        'videos': len(truth.names),
        'frames': sum(truth.num_frames),
        **result['facts'],
        'remarks': findings.lines(),
    }
    return ProtocolReport(**result)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        report = evaluate(args)
    except (ValueError, OSError) as error:
        print(f'eval_detections.py: error: {error}', file=sys.stderr)
        raise SystemExit(1) from error
    print(report.text())
    for key, value in report.metrics.items():
        print(f'{key:28s} {value:7.2f}')
    if args.out_file is not None:
        write_json(args.out_file, {'standard': report})
        print(f'written to {args.out_file}')
    if args.pictures is not None:
        print(f'pictures in {args.pictures}')


def _of_kind(readers: dict, path: Path) -> Any:
    if path.suffix not in readers:
        raise ValueError(
            f'{path}: expected a folder of ACT or MOC or a file ending in '
            f'{", ".join(readers)}'
        )
    return readers[path.suffix]


if __name__ == '__main__':
    main()
