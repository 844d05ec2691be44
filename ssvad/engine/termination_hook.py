"""Leaving in good order when the machine is taken away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner

# Time a loader worker has left to end by itself.
WORKER_SECONDS = 30


def outlive_signal(init: Callable | None, worker_id: int) -> None:
    """Initialise a loader worker that ends after its process, not before.

    Schedulers signal all processes of a job. A worker that dies at once takes the
    iteration with it that was to be finished.

    Args:
        init: the loader's own ``worker_init_fn``.
        worker_id: of the worker.
    """
    # not ignored for good, or ending the worker by force could take for ever
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(WORKER_SECONDS))
    if init is not None:
        init(worker_id)


@HOOKS.register_module()
class TerminationHook(Hook):
    """End training cleanly on SIGTERM (pre-emption), on all ranks at one iteration.

    The iteration is finished. If a hook can save in the middle of an epoch (it has a
    method ``save_mid_epoch(runner)``, which says whether it could), it saves; otherwise
    the checkpoint of the last epoch stays the newest. Then the process ends by
    ``SystemExit`` with status 128 plus the number of the signal, 143 for SIGTERM. In
    validation, one process ends at once and several when it is over; either way nothing
    is lost, see :class:`AtomicCheckpointHook`.

    Args:
        signals: names of the signals to obey. Schedulers can be told which one to send
            and when, e.g. ``sbatch --signal=USR1@120``.
    """

    # after all other hooks have done what belongs to the iteration
    priority = 'LOWEST'

    def __init__(self, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1')):
        self.signals = [signal.Signals[name] for name in signals]
        self.received = 0
        self._before = {}

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        # Python allows it there only
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = {s: signal.signal(s, self._note) for s in self.signals}
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                loader = loop.dataloader
                loader.worker_init_fn = partial(outlive_signal, loader.worker_init_fn)

    def _note(self, number: int, frame) -> None:
        self.received = number

    def after_train(self, runner: Runner) -> None:
        """Listen no more."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Save, if that is possible here, and leave."""
        if not self._agree():
            return
        savers = [hook for hook in runner.hooks if hasattr(hook, 'save_mid_epoch')]
        # false while gradients accumulate: some iterations later it can
        if all([hook.save_mid_epoch(runner) for hook in savers]):
            self._leave(runner, f'after iteration {runner.iter + 1}')

    def after_val_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Leave, if no other rank could be waiting."""
        if self.received and not is_distributed():
            self._leave(runner, 'in the validation')

    def after_val(self, runner: Runner) -> None:
        """Leave."""
        if self._agree():
            self._leave(runner, 'after the validation')

    def _agree(self) -> int:
        """The greatest number that any rank has received."""
        if is_distributed():
            received = torch.tensor(self.received)
            all_reduce(received, op='max')
            self.received = int(received)
        return self.received

    def _leave(self, runner: Runner, where: str) -> None:
        last = Path(runner.work_dir, 'last_checkpoint')
        rest = 'no checkpoint has been written yet'
        if last.is_file():
            rest = f'--resume goes on from {last.read_text()}'
        name = signal.Signals(self.received).name
        runner.logger.warning(f'{name}: training stops {where}; {rest}')
        self.after_train(runner)
        raise SystemExit(128 + self.received)
