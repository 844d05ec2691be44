"""The folder of a training: its config, its checkpoint, and what that finds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmaction.registry import METRICS, RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner

from report_evaluation import Evaluation, VideoFile
from ssvad.evaluation import FrameVideoMAP
from ssvad.evaluation.sample_fields import field
from ssvad.evaluation.standard_records import detections_of
from ssvad.evaluation.video_merge import merge_records

PICTURE_HOOKS = ('DetectionPictureHook', 'ViewPictureHook')


@METRICS.register_module()
class KeepingFrameVideoMAP(FrameVideoMAP):
    """`FrameVideoMAP` that keeps what its numbers are made of.

    After the evaluation ``records`` are those of all videos, and ``masks`` tells the
    mask of each video that came whole: its bits, compressed, their shape, and where in
    the source frame it lies.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.masks: dict[str, tuple] = {}
        self.records: list[dict] = []

    def reduce(self, sample: Mapping) -> dict:
        """See `FrameVideoMAP.reduce`."""
        record = super().reduce(sample)
        if 'clip_id' not in sample and 'crop_quadruple' in sample:
            mask = field(sample, 'pred_mask') >= 0.5
            bits = zlib.compress(np.packbits(mask).tobytes(), 1)
            place = field(sample, 'crop_quadruple'), field(sample, 'original_shape')
            self.masks[record['video_id']] = (bits, mask.shape, *place)
        return record

    def compute_metrics(self, results: list) -> dict:
        """See `FrameVideoMAP.compute_metrics`."""
        metrics = super().compute_metrics(results)
        self.records = merge_records(results, self.link)
        if self.ann_file is not None:
            classes = self._class_names(self.records)
            self.records = self._with_unseen(self.records, len(classes))
        return metrics


def find_config(source: Path) -> Path:
    """The config that a training has left in its folder.

    Raises:
        ValueError: if there is none, or several.
    """
    if source.is_file():
        return source
    found = sorted(source.glob('*.py'))
    if len(found) != 1:
        raise ValueError(
            f'{source}: expected the one config file that training leaves in its '
            f'folder, found {[path.name for path in found]}'
        )
    return found[0]


def find_checkpoint(work_dir: Path) -> Path | None:
    """The newest checkpoint of a work folder; None if there is none.

    The file ``last_checkpoint`` holds a path that is wrong once the folder was moved;
    then the file of that name in the folder itself counts.
    """
    named = work_dir / 'last_checkpoint'
    if named.is_file():
        path = Path(named.read_text('utf-8').strip())
        for candidate in (path, work_dir / path.name):
            if candidate.is_file():
                return candidate
    return max(work_dir.glob('*.pth'), key=lambda p: p.stat().st_mtime, default=None)


def evaluate_run(
    cfg: Config, checkpoint: Path, out_dir: Path
) -> tuple[Evaluation | None, dict]:
    """Test a checkpoint as tools/test.py does.

    Args:
        cfg: of the training; changed.
        checkpoint: its weights.
        out_dir: gets the logs of the test and ``evaluation.json``.

    Returns:
        What was found, None if no `FrameVideoMAP` evaluates; and all metrics.

    Raises:
        ValueError: if the config has no test.
    """
    configured = cfg.get('test_evaluator')
    if not configured or 'test_dataloader' not in cfg:
        raise ValueError('the config has no test_dataloader and test_evaluator')
    if isinstance(configured, Mapping):
        configured = [configured]
    # a teacher's reports go to a file beside this one
    reports = out_dir / 'evaluation.json'
    for evaluator in configured:
        if str(evaluator.type).rpartition('.')[2] == 'FrameVideoMAP':
            evaluator.update(type='KeepingFrameVideoMAP', out_file=str(reports))
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [hook for hook in hooks if hook.type not in PICTURE_HOOKS]
    cfg.custom_hooks.append(dict(type='CheckpointCheckHook'))
    cfg.test_evaluator, cfg.work_dir = configured, str(out_dir)
    cfg.load_from, cfg.resume, cfg.launcher = str(checkpoint), False, 'none'
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    metrics = runner.test()
    for metric in runner.test_loop.evaluator.metrics:
        if isinstance(metric, KeepingFrameVideoMAP):
            dataset = runner.test_dataloader.dataset
            return _collect(metric, dataset, json.loads(reports.read_text())), metrics
    return None, metrics


def _collect(metric: KeepingFrameVideoMAP, dataset, reports: dict) -> Evaluation:
    truth = boxes = tubes = None
    if 'standard' in metric.protocol:
        best = metric.topk_classes, metric.min_class_score, metric.link_members
        truth, boxes, tubes = detections_of(metric.records, *best)
    files = {}
    for index in range(len(dataset) if hasattr(dataset, 'get_data_info') else 0):
        info = dataset.get_data_info(index)
        size = info.get('width'), info.get('height')
        files[info['video_id']] = VideoFile(info['filename'], *size)
    return Evaluation(
        classes=metric._class_names(metric.records),
        names=[record['video_id'] for record in metric.records],
        num_frames=[record['num_frames'] for record in metric.records],
        truth=truth or [],
        boxes=boxes,
        tubes=tubes,
        convention=metric.convention,
        frame_thrs=metric.frame_thrs,
        video_thrs=metric.video_thrs,
        error_thr=metric.error_thr or 0.5,
        reports=reports,
        files=files,
        masks=metric.masks,
    )
