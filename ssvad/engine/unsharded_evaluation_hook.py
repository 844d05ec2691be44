"""Evaluation in the course of sharded training."""

from __future__ import annotations

from mmaction.registry import HOOKS, MODELS
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.distributed.fsdp import (
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)


@HOOKS.register_module()
class UnshardedEvaluationHook(Hook):
    """Let each process evaluate with a whole copy of a model trained in parts.

    A divided network is run by all processes at once, but videos are not equally long:
    the process with the longer one would wait for the others forever. So the weights
    are gathered once before an evaluation, and every process infers on its own.
    """

    priority = 'VERY_HIGH'

    def before_val(self, runner: Runner) -> None:
        """Put a whole model in the place of the divided one."""
        self.divided = runner.model
        with FullyShardedDataParallel.state_dict_type(
            self.divided, StateDictType.FULL_STATE_DICT, FullStateDictConfig()
        ):
            state = self.divided.state_dict()
        whole = MODELS.build(runner.cfg.model)
        whole.load_state_dict(state)
        runner.model = whole.to(get_device())

    def after_val(self, runner: Runner) -> None:
        """Put the divided model back."""
        runner.model = self.divided
        del self.divided
