"""Both networks are evaluated on the same data, each under its name."""

from types import SimpleNamespace

import torch
from mmengine.evaluator import BaseMetric, DumpResults, Evaluator
from mmengine.hooks import Hook
from torch import nn
from torch.utils.data import DataLoader

from ssvad.engine import TeacherStudentTestLoop, TeacherStudentValLoop


class Model(nn.Module):
    """Predicts a number that tells which network made it."""

    eval_net = 'student'
    calls = ()

    def val_step(self, data):
        self.calls = [*self.calls, self.eval_net]
        return [dict(value=dict(student=1, teacher=10)[self.eval_net])]

    test_step = val_step


class Mean(BaseMetric):
    default_prefix = 'm'

    def __init__(self, out_file=None):
        super().__init__()
        self.out_file = out_file

    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        if self.out_file:
            with open(self.out_file, 'w') as file:
                file.write(str(sum(results)))
        return dict(mean=sum(results) / len(results))


class Runner:
    """As much of a runner as a loop asks for."""

    def __init__(self):
        self.model, self.seen = Model(), []
        self.visualizer = SimpleNamespace(dataset_meta=None)

    def call_hook(self, name, **kwargs):
        assert hasattr(Hook, name)
        self.seen += [kwargs['outputs'][0]['value']] if 'outputs' in kwargs else []


def loop_of(kind, metrics):
    runner = Runner()
    loader = DataLoader(torch.arange(3))
    return runner, kind(runner, loader, Evaluator(metrics))


def test_metrics_of_both_and_hooks_of_the_student(tmp_path):
    for kind in (TeacherStudentValLoop, TeacherStudentTestLoop):
        file = tmp_path / 'result.txt'
        runner, loop = loop_of(kind, [Mean(str(file))])
        assert loop.run() == {'m/mean': 1, 'teacher/m/mean': 10}
        assert runner.model.calls == ['teacher', 'student'] * 3
        assert runner.model.eval_net == 'student'
        assert runner.seen == [1, 1, 1]
        assert file.read_text() == '3'
        assert (tmp_path / 'result_teacher.txt').read_text() == '30'


def test_predictions_of_the_student_are_dumped(tmp_path):
    dump = DumpResults(str(tmp_path / 'all.pkl'))
    _, loop = loop_of(TeacherStudentTestLoop, [Mean(), dump])
    loop.run()
    assert dump not in loop.evaluator.teacher.metrics
    assert (tmp_path / 'all.pkl').is_file()
