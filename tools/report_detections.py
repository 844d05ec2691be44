"""Detections in files, read and judged as tools/eval_detections.py does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import eval_detections
from report_evaluation import Evaluation, VideoFile
from ssvad.annotations import load_annotations
from ssvad.evaluation.conventions import get_convention


def evaluate_files(
    truth_file: Path, options: Sequence[str], video_root: Path | None = None
) -> Evaluation:
    """Evaluate detections in files.

    Args:
        truth_file: annotation file, or ``gt.npz``, which knows no video files.
        options: further arguments of tools/eval_detections.py.
        video_root: folder of the videos; None takes ``videos`` beside the annotation
            file, if that is a folder.

    Raises:
        ValueError: a file is malformed, or ``video_root`` is no folder.
        OSError: a file cannot be read.
        SystemExit: an argument is wrong.
    """
    if video_root is not None and not video_root.is_dir():
        raise ValueError(f"--video-root: there is no folder '{video_root}'")
    args = eval_detections.parse_args([str(truth_file), *options])
    truth, boxes, tubes, findings = eval_detections.read_files(args)
    report = eval_detections.judge(args, truth, boxes, tubes, findings)
    return Evaluation(
        classes=truth.classes,
        names=truth.names,
        num_frames=truth.num_frames,
        truth=truth.tubes,
        boxes=boxes,
        tubes=tubes,
        convention=get_convention(args.preset, **dict(args.override)),
        frame_thrs=args.frame_thrs,
        video_thrs=args.video_thrs,
        error_thr=args.error_thr,
        reports={'standard': report._asdict()},
        files=_find_videos(truth_file, video_root or truth_file.parent / 'videos'),
        masks={},
    )


def _find_videos(truth_file: Path, root: Path) -> dict[str, VideoFile]:
    if truth_file.suffix == '.npz' or not root.is_dir():
        return {}
    return {
        video['id']: VideoFile(
            str(root / video['file']), video['width'], video['height']
        )
        for video in load_annotations(truth_file)['videos']
    }
