"""Weights, gradients and optimiser state divided among the processes (FSDP)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmengine._strategy.fsdp import FSDPStrategy
from mmengine.device import get_device
from mmengine.registry import STRATEGIES
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel


def is_unit(
    module: nn.Module, recurse: bool, nonwrapped_numel: int, units: Sequence[str]
) -> bool:
    """Whether FSDP should divide a module on its own.

    Args:
        module: Part of the model.
        recurse: FSDP asks whether to look at the parts of the module.
        nonwrapped_numel: Parameters that no smaller unit holds; not used.
        units: Names of classes.
    """
    return recurse or type(module).__name__ in units


@STRATEGIES.register_module()
class ShardedStrategy(FSDPStrategy):
    """``FSDPStrategy`` of mmengine's ``FlexibleRunner`` for our detectors.

    ``runner_type='FlexibleRunner', strategy=dict(type='ShardedStrategy')``. What it
    adds:

    * the units: a student and its teacher have to be cut at the same places, so that
      each process can average the parts it holds;
    * checkpoints hold the whole model under its ordinary names: the tools and
      ``Runner`` read its weights;
    * it resumes (mmengine 0.10 hands ``optim_state_dict_to_load`` its arguments in
      the order of torch 2.0), and it runs on a CPU over gloo.

    A process may call a unit only when all do, as each call gathers its weights:
    evaluate through :class:`UnshardedEvaluationHook`, and leave out hooks that run the
    network in one process (``ViewPictureHook``).

    Args:
        units: Names of the classes that are divided one by one; what is left becomes
            one more unit. Weights may be used in the ``forward`` of their unit only.
        model_wrapper: Further arguments of ``MMFullyShardedDataParallel``.
        **kwargs: As for ``FSDPStrategy``.
    """

    def __init__(
        self,
        *,
        units: Sequence[str] = ('I3D', 'CapsuleRoutingHead', 'ErrorRecovery'),
        model_wrapper: dict | None = None,
        **kwargs,
    ):
        policy = partial(is_unit, units=tuple(units))
        wrapper = dict(type='MMFullyShardedDataParallel', auto_wrap_policy=policy)
        on_cpu = get_device() == 'cpu'
        if on_cpu:
            wrapper['device_id'] = 'cpu'
        wrapper.update(model_wrapper or {})
        # What is on the CPU already is not copied by moving it there: torch then frees
        # gathered weights, and overwrites one moment of the optimiser by the other.
        how = dict(rank0_only=True, offload_to_cpu=not on_cpu)
        whole = dict(
            state_dict_type='FULL_STATE_DICT',
            state_dict_config=dict(how, type='FullStateDictConfig'),
            optim_state_dict_config=dict(how, type='FullOptimStateDictConfig'),
        )
        super().__init__(model_wrapper=wrapper, state_dict_cfg=whole, **kwargs)

    def _setup_env(self, *, launcher: str | None = None, **kwargs) -> None:
        """As in ``FSDPStrategy``.

        Raises:
            ValueError: Without a launcher, hence with one process.
        """
        if launcher in (None, 'none'):
            raise ValueError(
                'ShardedStrategy divides a model among the processes of a launcher; '
                'there is none: use tools/dist_train.sh CONFIG GPUS'
            )
        super()._setup_env(launcher=launcher, **kwargs)

    def build_optim_wrapper(self, optim_wrapper, model: nn.Module | None = None):
        """As in ``FSDPStrategy``, but for what is wrong with divided gradients.

        Raises:
            ValueError: If gradients are to be clipped: each process would take the
                norm of its own part.
        """
        if isinstance(optim_wrapper, dict) and optim_wrapper.get('clip_grad'):
            raise ValueError(
                'optim_wrapper.clip_grad takes the norm of the part of the gradient '
                'that a process holds; ShardedStrategy cannot clip: remove it'
            )
        return super().build_optim_wrapper(optim_wrapper, model)

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Take this process's part of a whole optimiser state."""
        part = FullyShardedDataParallel.optim_state_dict_to_load(
            model=self.model,
            optim=self.optim_wrapper.optimizer,
            optim_state_dict=state_dict,
        )
        self.optim_wrapper.load_state_dict(part)
