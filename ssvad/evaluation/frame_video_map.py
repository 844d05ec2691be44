"""The registered evaluator: one pass over the videos, two protocols kept apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, Callable

import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from .capsule_protocol import capsule_report
from .capsule_recall import THRESHOLDS
from .mask_to_boxes import mask_to_boxes
from .report import write_json
from .standard_protocol import standard_report
from .thresholds import Threshold, mean_per_threshold, named_thresholds
from .tube_linking import link_boxes
from .video_record import capsule_record, field, standard_record

PROTOCOLS = ('capsule', 'standard')


@METRICS.register_module()
class FrameVideoMAP(BaseMetric):
    """Frame- and video-level spatio-temporal detection metrics from masks.

    One data sample is one whole video, a dict with the fields `video_id`,
    `total_frames`, `pred_mask` (F, H, W) foreground probability, `pred_clip_scores`
    (M, K) class activations and, if the video has a class, `gt_label` (1,). The
    capsule protocol also reads `gt_mask`, `frame_inds`, `frame_valid`; the standard
    protocol `gt_tubes`, `tube_labels`, `crop_quadruple`, `original_shape`.

    Values are percentages; `f` and `v` stand for frame and video:

    - `capsule_f_mAP@0.50`, `capsule_v_mAP@0.50`, ..., `capsule_acc`: the recall that
      the capsule lineage reports, against the union of all actors inside the crop.
    - `frame_mAP@0.50`, `video_mAP@0.50`, ..., `video_acc`: the standard protocol.

    Classes without ground truth are left out of the means, and named in the log.

    Args:
        protocol: 'capsule', 'standard' or both.
        capsule_thrs: IoU thresholds of the capsule protocol, multiples of 0.05 below
            1; (first, last, step) ranges are averaged and reported for videos only.
        frame_thrs: IoU thresholds of frame-mAP.
        video_thrs: tube IoU thresholds of video-mAP.
        mask_to_box: arguments of `mask_to_boxes`, e.g. ``dict(min_area=25)``.
        linker: arguments of `link_boxes`, e.g. ``dict(min_len=15)``.
        tube_nms: tube IoU above which the weaker tube of a class is dropped.
        topk_classes: classes reported per video.
        min_class_score: smallest class activation reported.
        out_file: JSON file for the per-class tables; None writes none.
        collect_device: see `BaseMetric`.
        collect_dir: see `BaseMetric`.
        prefix: see `BaseMetric`.

    Raises:
        ValueError: for an unknown protocol or threshold.
        TypeError: for an unknown argument in ``mask_to_box`` or ``linker``.
    """

    default_prefix = 'stad'

    def __init__(
        self,
        protocol: str | Sequence[str] = PROTOCOLS,
        capsule_thrs: Sequence[Threshold] = (0.2, 0.5, (0.5, 0.95, 0.05)),
        frame_thrs: Sequence[Threshold] = (0.2, 0.5),
        video_thrs: Sequence[Threshold] = (0.2, 0.5, 0.75, (0.5, 0.95, 0.05)),
        mask_to_box: dict | None = None,
        linker: dict | None = None,
        tube_nms: float | None = 0.3,
        topk_classes: int = 5,
        min_class_score: float = 0.005,
        out_file: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix, collect_dir)
        self.protocol = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        if not self.protocol or not set(self.protocol) <= set(PROTOCOLS):
            raise ValueError(f'protocol: expected some of {PROTOCOLS}, got {protocol}')
        self.capsule_thrs = named_thresholds(capsule_thrs)
        # refused here rather than after a whole evaluation
        mean_per_threshold(self.capsule_thrs, THRESHOLDS, np.zeros((20, 1)))
        self.frame_thrs = named_thresholds(frame_thrs)
        self.video_thrs = named_thresholds(video_thrs)
        self.find_boxes = _configured(mask_to_boxes, mask_to_box)
        self.link = _configured(link_boxes, linker)
        self.tube_nms = tube_nms
        self.topk_classes = topk_classes
        self.min_class_score = min_class_score
        self.out_file = out_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append exactly one small record per video; masks are not kept.

        One record, because mmengine cuts the collected list at the dataset's length.
        """
        self.results.extend(self.reduce(sample) for sample in data_samples)

    def reduce(self, sample: Mapping) -> dict:
        """Turn a whole video's sample into its record of plain NumPy values.

        Raises:
            KeyError: if a field is missing.
            ValueError: if fields do not fit each other.
        """
        video = str(field(sample, 'video_id'))
        num_frames = int(field(sample, 'total_frames'))
        pred_mask = field(sample, 'pred_mask')
        sample = {**sample, 'pred_mask': pred_mask}  # fetched from the device once
        clip_scores = field(sample, 'pred_clip_scores')
        if (
            len(pred_mask) != num_frames
            or clip_scores.ndim != 2
            or not clip_scores.size
        ):
            raise ValueError(
                f"video '{video}': expected pred_mask ({num_frames}, H, W) and "
                f'pred_clip_scores (M, K), got {pred_mask.shape} and '
                f'{clip_scores.shape}'
            )
        label = int(field(sample, 'gt_label').item()) if 'gt_label' in sample else -1
        record = dict(
            video_id=video,
            num_frames=num_frames,
            label=label,
            class_scores=clip_scores.mean(axis=0, dtype=np.float64),
        )
        labels = [label] if label != -1 else []
        if 'capsule' in self.protocol:
            record['capsule'] = capsule_record(sample)
            if label == -1 and record['capsule']['kept_class'] != -1:
                raise ValueError(
                    f"video '{video}': gt_mask shows an action but gt_label is missing"
                )
        if 'standard' in self.protocol:
            record['standard'] = standard_record(sample, self.find_boxes, self.link)
            labels += record['standard']['gt_labels'].tolist()
        num_classes = clip_scores.shape[1]
        if labels and not 0 <= min(labels) <= max(labels) < num_classes:
            raise ValueError(
                f"video '{video}': labels {labels} are not among the {num_classes} "
                'classes of pred_clip_scores'
            )
        return record

    def compute_metrics(self, results: list) -> dict:
        """Compute all metrics from the records of all ranks.

        Args:
            results: records of `reduce`; samplers may have repeated a video.

        Returns:
            Key -> float in percent, never NaN.
        """
        # sorted by name, so that no tie depends on which rank saw a video
        by_name = {record['video_id']: record for record in results}
        records = [by_name[name] for name in sorted(by_name)]
        classes = self._class_names(records)
        reports = {}
        if 'capsule' in self.protocol:
            reports['capsule'] = capsule_report(records, classes, self.capsule_thrs)
        if 'standard' in self.protocol:
            reports['standard'] = standard_report(
                records,
                classes,
                self.frame_thrs,
                self.video_thrs,
                self.tube_nms,
                self.topk_classes,
                self.min_class_score,
            )
        for report in reports.values():
            print_log('\n' + report.text(), logger='current')
        if self.out_file is not None:
            write_json(self.out_file, reports)
        return {k: v for report in reports.values() for k, v in report.metrics.items()}

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
