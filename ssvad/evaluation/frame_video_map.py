"""The registered evaluator: one pass over the videos, two protocols kept apart."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Callable

import numpy as np
from mmaction.registry import METRICS
from mmengine.logging import print_log

from .capsule_protocol import capsule_report
from .capsule_recall import THRESHOLDS
from .capsule_truth import POLICIES
from .conventions import get_convention
from .mask_to_boxes import mask_to_boxes
from .record_metric import RecordMetric
from .report import write_reports
from .sample_fields import field
from .standard_protocol import FRAME_THRS, VIDEO_THRS
from .standard_records import standard_report
from .thresholds import Threshold, mean_per_threshold, named_thresholds
from .tube_linking import link_boxes, link_members
from .unseen_videos import unseen_records
from .video_merge import merge_records
from .video_record import (
    base_record,
    capsule_record,
    frame_scores,
    standard_record,
)

PROTOCOLS = ('capsule', 'standard')


@METRICS.register_module()
class FrameVideoMAP(RecordMetric):
    """Frame- and video-level spatio-temporal detection metrics from masks.

    One data sample is one whole video, a dict with the fields `video_id`,
    `total_frames`, `pred_mask` (F, H, W) foreground probability, `pred_clip_scores`
    (M, K) class activations and, if the video has a class, `gt_label` (1,). The
    capsule protocol also reads `gt_mask`, `frame_inds`, `frame_valid`; the standard
    protocol `gt_tubes`, `tube_labels`, `crop_quadruple`, `original_shape`. With a
    `clip_id` (int from 0 on) it is one clip: `pred_mask` (T, H, W) in the order of
    `frame_inds` (T,), `pred_clip_scores` (1, K). The clips of a video may come in any
    order on any rank, but all of them must come.

    Values are percentages; `f` and `v` stand for frame and video:

    - `capsule_f_mAP@0.50`, `capsule_v_mAP@0.50`, ..., `capsule_acc`: the recall that
      the capsule lineage reports.
    - `frame_mAP@0.50`, `video_mAP@0.50`, ..., `video_acc`: the standard protocol.
    - `frame_err_localisation`, `..._duplicate`, `..._classification`, `..._timing`,
      `..._other`, `..._missed`: what keeps frame-mAP from 100.

    By default classes without ground truth are left out of the means, and named in
    the log.

    Args:
        protocol: 'capsule', 'standard' or both.
        annotation: what the capsule protocol compares the mask of a video with several
            actors with: 'union' of them (VideoCapsuleNet), the 'first', a 'random' one
            (the released evaluator, but drawn by name and ``seed``, not anew in every
            run), or 'all' in turn, averaged.
        seed: of the random draw.
        convention: preset of the standard protocol, 'act', 'yowo', 'multisports' or
            'retinanet3d', or a dict of fields to change, e.g.
            ``dict(preset='yowo', frames='all')``, see `Convention`.
        capsule_thrs: IoU thresholds of the capsule protocol, multiples of 0.05 below
            1; (first, last, step) ranges are averaged and reported for videos only.
        frame_thrs: IoU thresholds of frame-mAP.
        video_thrs: tube IoU thresholds of video-mAP.
        error_thr: IoU of the error analysis; None leaves it out.
        mask_to_box: arguments of `mask_to_boxes`, e.g. ``dict(min_area=25)``.
        linker: arguments of `link_members`, e.g. ``dict(min_len=15)``.
        class_score: activation that detections are scored by: the mean over the
            'video', or that of the 'clip' they are in, as an online system has it.
        topk_classes: classes reported per video, or per box and track.
        min_class_score: smallest class activation reported.
        ann_file: annotation file of the dataset. With it, videos that never came are
            warned of and count as missed in the standard protocol.
        split_file: list of the videos to expect; None expects all of ``ann_file``.
        out_file: JSON file for the per-class tables, which also go into a CSV file
            each beside it; None writes none.
        collect_device: see `BaseMetric`.
        collect_dir: see `BaseMetric`.
        prefix: see `BaseMetric`.

    Raises:
        ValueError: for an unknown protocol, annotation, convention or threshold.
        TypeError: for an unknown argument in ``mask_to_box`` or ``linker``.
    """

    default_prefix = 'stad'

    def __init__(
        self,
        protocol: str | Sequence[str] = PROTOCOLS,
        annotation: str = 'union',
        seed: int = 0,
        convention: str | Mapping = 'act',
        capsule_thrs: Sequence[Threshold] = (0.2, 0.5, (0.5, 0.95, 0.05)),
        frame_thrs: Sequence[Threshold] = FRAME_THRS,
        video_thrs: Sequence[Threshold] = VIDEO_THRS,
        error_thr: float | None = 0.5,
        mask_to_box: dict | None = None,
        linker: dict | None = None,
        class_score: str = 'video',
        topk_classes: int = 5,
        min_class_score: float = 0.005,
        ann_file: str | None = None,
        split_file: str | None = None,
        out_file: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        self.protocol = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        if not self.protocol or not set(self.protocol) <= set(PROTOCOLS):
            raise ValueError(f'protocol: expected some of {PROTOCOLS}, got {protocol}')
        if annotation not in POLICIES:
            raise ValueError(
                f'annotation: expected one of {list(POLICIES)}, got {annotation!r}'
            )
        self.annotation, self.seed = annotation, seed
        fields = {'preset': convention} if isinstance(convention, str) else convention
        self.convention = get_convention(**fields)
        self.capsule_thrs = named_thresholds(capsule_thrs)
        # refused here rather than after a whole evaluation
        mean_per_threshold(self.capsule_thrs, THRESHOLDS, np.zeros((20, 1)))
        named_thresholds([*frame_thrs, *video_thrs, error_thr or 0.5])
        self.frame_thrs, self.video_thrs = frame_thrs, video_thrs
        self.error_thr = error_thr
        self.find_boxes = _configured(mask_to_boxes, mask_to_box)
        self.link_members = _configured(link_members, linker)
        self.link = partial(link_boxes, **self.link_members.keywords)
        if class_score not in ('video', 'clip'):
            raise ValueError(f"class_score is 'video' or 'clip', got {class_score!r}")
        self.class_score = class_score
        self.topk_classes = topk_classes
        self.min_class_score = min_class_score
        if split_file is not None and ann_file is None:
            raise ValueError(f'split_file {split_file} needs ann_file, got None')
        self.ann_file, self.split_file = ann_file, split_file
        self.out_file = out_file

    def reduce(self, sample: Mapping) -> dict:
        """Turn a data sample into its record of plain NumPy values.

        Raises:
            KeyError: if a field is missing.
            ValueError: if fields do not fit each other.
        """
        # fetched from the device once
        sample = {**sample, 'pred_mask': field(sample, 'pred_mask')}
        record = base_record(sample)
        labels = {record['label']}
        if 'capsule' in self.protocol:
            record['capsule'] = capsule_record(sample, self.annotation, self.seed)
            labels.update(truth['label'] for truth in record['capsule'])
        if 'standard' in self.protocol:
            record['standard'] = standard_record(sample, self.find_boxes, self.link)
            if self.class_score == 'clip':
                record['frame_scores'] = frame_scores(sample)
            labels.update(record['standard']['gt_labels'].tolist())
        num_classes, labels = len(record['class_scores']), sorted(labels - {-1})
        if labels and not 0 <= labels[0] <= labels[-1] < num_classes:
            raise ValueError(
                f"video '{record['video_id']}': labels {labels} are not among the "
                f'{num_classes} classes of pred_clip_scores'
            )
        return record

    def compute_metrics(self, results: list) -> dict:
        """Compute all metrics from the records of all ranks.

        Args:
            results: records of `reduce`; samplers may have repeated some.

        Returns:
            Key -> float in percent, never NaN.

        Raises:
            ValueError: if clips of a video are missing, or classes do not fit.
        """
        records = merge_records(results, self.link)
        classes = self._class_names(records)
        if self.ann_file is not None:
            records = self._with_unseen(records, len(classes))
        reports = {}
        if 'capsule' in self.protocol:
            reports['capsule'] = capsule_report(
                records, classes, self.capsule_thrs, self.annotation
            )
        if 'standard' in self.protocol:
            reports['standard'] = standard_report(
                *(records, classes, self.convention),
                *(self.frame_thrs, self.video_thrs, self.error_thr),
                *(self.topk_classes, self.min_class_score, self.link_members),
            )
        for report in reports.values():
            print_log('\n' + report.text(), logger='current')
        if self.out_file is not None:
            write_reports(self.out_file, reports)
        return {k: v for report in reports.values() for k, v in report.metrics.items()}

    def _with_unseen(self, records: list, num_classes: int) -> list:
        unseen = unseen_records(records, num_classes, self.ann_file, self.split_file)
        if unseen:
            names = [record['video_id'] for record in unseen]
            print_log(
                f'{len(names)} videos of {self.split_file or self.ann_file} were never '
                f'evaluated, first {names[:3]}; the standard protocol counts them as '
                'missed',
                logger='current',
                level=logging.WARNING,
            )
        return sorted(records + unseen, key=lambda record: record['video_id'])

    def _class_names(self, records: list) -> list[str]:
        widths = {len(record['class_scores']) for record in records}
        names = list((self.dataset_meta or {}).get('classes', ()))
        if not names and len(widths) == 1:
            names = [f'class {label}' for label in range(max(widths))]
        if widths - {len(names)}:
            raise ValueError(
                f'the dataset names {len(names)} classes, the predictions score '
                f"{sorted(widths)}; compare the head's num_classes with the annotation "
                'file'
            )
        return names


def _configured(function: Callable, arguments: Mapping | None) -> Callable:
    """Set arguments of a function; an unknown name fails now, not after an epoch."""
    signature(function).bind_partial(**(arguments or {}))
    return partial(function, **(arguments or {}))
