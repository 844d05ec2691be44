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
    each step of the optimiser: not in iterations that only accumulate gradients, nor
    when a step was skipped because it was not finite.
    """

    _student_moved = False

    def before_train(self, runner: Runner) -> None:
        """Make the teacher equal to the student if nothing has yet."""
        model = bare_model(runner)
        if not has_teacher(model):
            return
        if model.teacher.updates == 0:
            model.update_teacher()
        runner.optim_wrapper.optimizer.register_step_post_hook(self._note_step)

    def _note_step(self, optimizer, args, kwargs) -> None:
        self._student_moved = True

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Move the teacher if the student has moved."""
        if self._student_moved:
            bare_model(runner).update_teacher()
            self._student_moved = False


def bare_model(runner: Runner):
    """The runner's model without the wrapper of distributed training."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def has_teacher(model) -> bool:
    """Whether a model holds a teacher."""
    return getattr(model, 'teacher', None) is not None
