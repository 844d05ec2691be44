"""When the teacher moves, and when it must not."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from ssvad.engine import TeacherUpdateHook
from ssvad.models import Teacher


class Net(nn.Module):
    """One weight and its teacher."""

    def __init__(self, with_teacher=True):
        super().__init__()
        self.detector = nn.Linear(1, 1, bias=False)
        self.teacher = Teacher(self.sources()) if with_teacher else None

    def sources(self):
        return dict(detector=self.detector)

    def update_teacher(self):
        self.teacher.follow(self.sources())


def runner_of(model, accumulate=1, iters=6):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=accumulate)
    wrapper.initialize_count_status(model, 0, iters)
    return SimpleNamespace(model=model, optim_wrapper=wrapper)


def train(runner, hook, iters):
    """Weights of the student and updates of the teacher after each iteration."""
    history = []
    for _ in range(iters):
        loss = runner.model.detector.weight.square().sum()
        runner.optim_wrapper.update_params(loss)
        hook.after_train_iter(runner, 0)
        student = runner.model.detector.weight.item()
        history.append((student, int(runner.model.teacher.updates)))
    return history


@pytest.mark.parametrize('accumulate', [1, 2, 4])
def test_teacher_moves_whenever_the_student_has(accumulate):
    runner = runner_of(Net(), accumulate)
    hook = TeacherUpdateHook()
    hook.before_train(runner)
    before, made = runner.model.detector.weight.item(), 1
    for student, updates in train(runner, hook, 6):
        made += student != before
        assert updates == made
        before = student
    assert made > 1


def test_accumulating_equals_the_larger_batch():
    torch.manual_seed(0)
    large, small = Net(), Net()
    small.load_state_dict(large.state_dict())
    hook = TeacherUpdateHook()
    for model, accumulate, iters in ((large, 1, 3), (small, 2, 6)):
        runner = runner_of(model, accumulate, iters)
        hook.before_train(runner)
        train(runner, hook, iters)
    ours, theirs = small.teacher['detector'].weight, large.teacher['detector'].weight
    torch.testing.assert_close(ours, theirs)
    assert small.teacher.updates == large.teacher.updates


def test_loaded_weights_reach_the_teacher_and_resumed_teachers_stay():
    hook, model = TeacherUpdateHook(), Net()
    nn.init.constant_(model.detector.weight, 3.0)
    hook.before_train(runner_of(model))
    assert model.teacher['detector'].weight.item() == 3
    nn.init.constant_(model.detector.weight, 5.0)
    hook.before_train(runner_of(model))
    assert model.teacher['detector'].weight.item() == 3


def test_models_without_teacher_are_left_alone():
    hook, runner = TeacherUpdateHook(), runner_of(Net(with_teacher=False))
    hook.before_train(runner)
    hook.after_train_iter(runner, 0)
    hook.before_train(SimpleNamespace(model=nn.Linear(1, 1)))
