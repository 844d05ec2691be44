"""Refuses checkpoints of another model, and of a run with another pace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from ssvad.checkpoint_fit import check_state

from .checkpoint_files import CheckpointError
from .teacher_update_hook import bare_model

# the place in a checkpoint's ``meta``
PACE = 'pace'


def pace_of(runner: Runner) -> dict[str, int]:
    """Processes of a training, and steps that each takes in an epoch."""
    return dict(processes=get_world_size(), steps=len(runner.train_dataloader))


@HOOKS.register_module()
class CheckpointCheckHook(Hook):
    """Check a checkpoint before its weights are copied.

    mmengine copies what fits by name and shape and warns about the rest, so a network
    of random weights is evaluated without complaint. Here

    * to evaluate or resume, every weight has to fit, and no other may be there;
    * ``load_from`` of a training may fit in part (mmengine warns), but not nowhere;
    * to resume, an epoch must have as many steps as it had if a schedule counts steps;
      any other change of pace (processes, batch size, length of the lists) is a
      warning.

    ``tools/train.py`` and ``tools/test.py`` use it in every run of mmengine's
    ``Runner``.

    Args:
        partial: Whether weights that fit in part are good enough to evaluate.
    """

    # before EMAHook, which takes the weights for those of the model
    priority = 'VERY_HIGH'

    def __init__(self, partial: bool = False):
        self.partial = partial

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the pace of the run in the checkpoint."""
        if isinstance(runner, Runner):
            checkpoint['meta'][PACE] = pace_of(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: Any) -> None:
        """Check the checkpoint.

        Raises:
            CheckpointError: Names file and weights and says what to do.
        """
        # models of FlexibleRunner are in parts
        if not isinstance(runner, Runner):
            return
        # without a name mmengine takes the newest one of the folder
        name = runner._load_from or f'newest checkpoint of {runner.work_dir}'
        model = bare_model(runner)
        starts = _is_training(runner) and not runner._resume
        try:
            state = find_weights(checkpoint)
            check_weights(model.state_dict(), state, self.partial or starts)
        except ValueError as error:
            raise CheckpointError(
                f'{name} does not fit the {type(model).__name__} of the config: {error}'
            ) from error
        if _is_training(runner) and runner._resume:
            try:
                check_progress(checkpoint)
                self._check_pace(checkpoint['meta'].get(PACE), runner)
            except ValueError as error:
                raise CheckpointError(f'{name} cannot be resumed: {error}') from error

    def _check_pace(self, then: dict | None, runner: Runner) -> None:
        now = pace_of(runner)
        # not noted by earlier versions and other runners
        if then is None or then == now:
            return
        text = '{processes} process(es) of {steps} steps an epoch'
        change = f'it is of {text.format(**then)}, this run is of {text.format(**now)}'
        counting = step_schedules(runner)
        if then['steps'] != now['steps'] and counting:
            raise ValueError(
                f'{change}; {", ".join(counting)} counts steps and would end too '
                'early or too late. Choose train_dataloader.batch_size so that '
                'processes x batch_size is as it was, or begin a new training with '
                'these weights (--cfg-options load_from=...)'
            )
        runner.logger.warning(
            f'the checkpoint is of another pace: {change}. Epochs go on, with the '
            'learning rate of the checkpoint'
        )


def find_weights(checkpoint: Any) -> dict[str, Tensor]:
    """Weights by name, the names as mmengine's runner takes them.

    Raises:
        ValueError: If there are none.
    """
    state = checkpoint
    if isinstance(checkpoint, Mapping):
        state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise ValueError('it has no named weights in state_dict')
    return {re.sub(r'^module\.', '', name): value for name, value in state.items()}


def check_weights(
    expected: Mapping[str, Tensor], state: Mapping[str, Tensor], partial: bool
) -> None:
    """Refuse weights of another model.

    Args:
        expected: State dict of the model; counters of batch norm (absent from old
            files) may be missing.
        state: Weights to be loaded.
        partial: Whether it is enough that one fits.

    Raises:
        ValueError: As :func:`check_state`.
    """
    if partial and any(
        name in state and state[name].shape == value.shape
        for name, value in expected.items()
    ):
        return
    needed = {
        name: value
        for name, value in expected.items()
        if name in state or not name.endswith('num_batches_tracked')
    }
    check_state(needed, state)


def check_progress(checkpoint: Mapping) -> None:
    """Refuse a checkpoint that does not say how far its training had come.

    Raises:
        ValueError: Names what it lacks.
    """
    meta = checkpoint.get('meta') or {}
    missing = [key for key in ('epoch', 'iter') if key not in meta]
    missing += [key for key in ('message_hub', 'optimizer') if key not in checkpoint]
    if missing:
        raise ValueError(
            f'it has no {", ".join(missing)}; begin a new training with its weights '
            '(--cfg-options load_from=...)'
        )


def step_schedules(runner: Runner) -> list[str]:
    """Types of the schedules that count steps in a training that counts epochs."""
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        return []
    schedules = runner.param_schedulers or []
    if isinstance(schedules, dict):
        schedules = [each for several in schedules.values() for each in several]
    return sorted({type(each).__name__ for each in schedules if not each.by_epoch})


def _is_training(runner: Runner) -> bool:
    # built when training begins, and only then
    return not isinstance(runner._train_loop, (dict, type(None)))
