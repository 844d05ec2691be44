"""Moves the teacher of mean-teacher methods."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class TeacherUpdateHook(Hook):
    """Let the teacher follow the student; does nothing for models without a teacher.

    Before training, once weights are loaded, the teacher becomes equal to the student,
    unless a resumed or loaded checkpoint brought a teacher along. Then it moves after
    each step of the optimiser: not in iterations that only accumulate gradients.
    """

    def before_train(self, runner: Runner) -> None:
        """Make the teacher equal to the student if nothing has yet."""
        model = bare_model(runner)
        if has_teacher(model) and model.teacher.updates == 0:
            model.update_teacher()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Move the teacher if the student has moved."""
        model = bare_model(runner)
        if has_teacher(model) and runner.optim_wrapper.should_update():
            model.update_teacher()


def bare_model(runner: Runner):
    """The runner's model without the wrapper of distributed training."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def has_teacher(model) -> bool:
    """Whether a model holds a teacher."""
    return getattr(model, 'teacher', None) is not None
