"""Evaluation of both networks of a mean-teacher method in one pass over the data."""

from __future__ import annotations

import copy
import os.path as osp

import torch
from mmaction.registry import LOOPS
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.runner import TestLoop, ValLoop
from mmengine.runner.amp import autocast

from .teacher_update_hook import bare_model


class TeacherStudentEvaluator(Evaluator):
    """Metrics of the student under their names, the teacher's with ``teacher/`` before.

    Args:
        evaluator: Metrics of the student; the teacher's are copies that write to files
            with ``_teacher`` in the name. Raw predictions are dumped of the student
            only.
    """

    def __init__(self, evaluator: Evaluator):
        super().__init__(evaluator.metrics)
        self.dataset_meta = evaluator.dataset_meta
        self.teacher = copy.deepcopy(evaluator)
        self.teacher.metrics = [
            metric
            for metric in self.teacher.metrics
            if not isinstance(metric, DumpResults)
        ]
        for metric in self.teacher.metrics:
            if getattr(metric, 'out_file', None):
                root, kind = osp.splitext(metric.out_file)
                metric.out_file = f'{root}_teacher{kind}'

    def evaluate(self, size: int) -> dict:
        """Results of both; see ``mmengine.evaluator.Evaluator.evaluate``."""
        metrics = super().evaluate(size)
        teacher = self.teacher.evaluate(size)
        metrics.update({f'teacher/{key}': value for key, value in teacher.items()})
        return metrics


class _BothNetworks:
    """Part of the loops below: each batch goes through the teacher, too."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.evaluator = TeacherStudentEvaluator(self.evaluator)

    @torch.no_grad()
    def run_iter(self, idx, data_batch) -> None:
        """Infer a batch with the teacher and then, as usual, with the student."""
        model = bare_model(self.runner)
        model.eval_net = 'teacher'
        with autocast(enabled=self.fp16):
            outputs = self.runner.model.val_step(data_batch)
        self.evaluator.teacher.process(outputs, data_batch)
        model.eval_net = 'student'
        super().run_iter(idx, data_batch)


@LOOPS.register_module()
class TeacherStudentValLoop(_BothNetworks, ValLoop):
    """``ValLoop`` for a ``SemiDetector`` with a teacher.

    ``val_cfg=dict(type='TeacherStudentValLoop')``. Hooks and ``save_best`` see the
    student's predictions and both networks' metrics.
    """


@LOOPS.register_module()
class TeacherStudentTestLoop(_BothNetworks, TestLoop):
    """``TestLoop`` for a ``SemiDetector`` with a teacher; see the loop above."""
