"""Checkpoints from within an epoch."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import nn

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .mid_epoch_train_loop import MidEpochTrainLoop
from .teacher_update_hook import bare_model


def rank_state(model: nn.Module, hub: MessageHub, iterations: int) -> dict:
    """What a process has for itself until the epoch ends.

    Args:
        model: Its buffers (running statistics) differ between ranks.
        hub: So do the losses it has logged.
        iterations: Of this epoch so far.

    Returns:
        ``buffers`` by name, and ``logs``, the last values of each logged scalar.
    """
    saved = model.state_dict().keys()
    buffers = {
        name: buffer.detach().cpu().clone()
        for name, buffer in model.named_buffers()
        if name in saved
    }
    logs = {
        name: history.data[0][-iterations:].tolist() if iterations else []
        for name, history in hub.log_scalars.items()
        if name.startswith('train/')
    }
    return dict(buffers=buffers, logs=logs)


def apply_rank_state(checkpoint: dict, state: dict) -> None:
    """Put the state of a process into a checkpoint, in place."""
    checkpoint['state_dict'].update(state['buffers'])
    histories = checkpoint['message_hub']['log_scalars']
    for name, values in state['logs'].items():
        if values and name in histories:
            histories[name].data[0][-len(values) :] = values


@HOOKS.register_module()
class MidEpochCheckpointHook(AtomicCheckpointHook):
    """Save every so many iterations of training by epochs, to go on from there exactly.

    Needs ``train_cfg=dict(type='MidEpochTrainLoop', ...)``. Files are
    ``iter_<number>.pth``. Beside what mmengine saves, a checkpoint of several
    processes has under ``ranks`` the :func:`rank_state` of each.

    Args:
        interval: In iterations, a multiple of those that accumulate gradients.
        kwargs: As for ``AtomicCheckpointHook``, but ``by_epoch`` is False.
    """

    _ranks = None
    _saved_at = None

    def __init__(self, interval: int = -1, **kwargs):
        super().__init__(interval=interval, **{**kwargs, 'by_epoch': False})

    def before_train(self, runner: Runner) -> None:
        """Refuse what could not be resumed.

        Raises:
            ValueError: If the loop is another one or the interval does not fit.
        """
        if not isinstance(runner.train_loop, MidEpochTrainLoop):
            raise ValueError(
                "MidEpochCheckpointHook needs train_cfg.type='MidEpochTrainLoop', got "
                f'{type(runner.train_loop).__name__}'
            )
        accumulate = runner.optim_wrapper._accumulative_counts
        if self.interval > 0 and self.interval % accumulate:
            raise ValueError(
                f'MidEpochCheckpointHook(interval={self.interval}) would save in the '
                f'middle of {accumulate} iterations that accumulate gradients: choose '
                f'a multiple of {accumulate}'
            )
        super().before_train(runner)
        if runner.iter == (runner.epoch + 1) * len(runner.train_dataloader):
            # The run ended between its last iteration and its validation: as then, the
            # hub counts from 0, and the checkpoint is saved again after the validation.
            runner.message_hub.update_info('iter', runner.iter - 1)
            self._before_validation = self._step(runner)

    def save_mid_epoch(self, runner: Runner) -> bool:
        """Save after this iteration, if that has not been done already.

        To be called on all ranks at the end of ``after_train_iter``.

        Returns:
            Whether there is a checkpoint; not while gradients accumulate.
        """
        if not runner.optim_wrapper.should_update():
            return False
        if self._saved_at != runner.iter + 1:
            self._save_checkpoint(runner)
        return True

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if get_world_size() > 1:
            done = meta['iter'] - meta['epoch'] * len(runner.train_dataloader)
            state = rank_state(bare_model(runner), runner.message_hub, done)
            self._ranks = all_gather_object(state)
        super()._save_checkpoint_with_step(runner, step, meta)
        self._ranks = None
        self._saved_at = meta['iter']

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states of all processes."""
        super().before_save_checkpoint(runner, checkpoint)
        if self._ranks is not None:
            checkpoint['ranks'] = self._ranks

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Choose the state of this process when a run is resumed.

        Raises:
            ValueError: If it was another number of processes.
        """
        ranks = checkpoint.pop('ranks', None)
        if ranks is None or not runner._resume:
            return
        if len(ranks) != get_world_size():
            raise ValueError(
                f'the checkpoint was saved by {len(ranks)} processes, resumed by '
                f'{get_world_size()}: use as many, or load_from instead of resume'
            )
        apply_rank_state(checkpoint, ranks[get_rank()])
