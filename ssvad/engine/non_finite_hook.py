"""Stops training, or skips a step, when a loss or gradient is not finite."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from .step_record import (
    PROGRESS,
    autocast_type,
    generator_states,
    loss_terms,
    non_finite_gradients,
    save_record,
)
from .teacher_update_hook import bare_model

# A scaler of mixed precision halves its scale each time: from 2^16 to 2^-16.
MAX_OVERFLOWS = 32


def name_clips(batch: Mapping) -> list[str]:
    """Ids and frames (from 0) of the clips of a batch, as far as samples tell them."""
    names = []
    samples = batch.get('data_samples', ()) if isinstance(batch, Mapping) else ()
    for sample in samples:
        name = str(sample.get('video_id', 'a clip without video_id'))
        frames = sample.get('frame_inds')
        if frames is not None:
            name += f' frames {min(frames)}-{max(frames)}'
        names.append(name)
    return names


def largest_gradients(parameters: Sequence[nn.Parameter]) -> list[torch.Tensor]:
    """Largest absolute value of each gradient; NaN and infinity stay what they are."""
    # a norm of squares would overflow for gradients that are still finite
    return [
        torch.linalg.vector_norm(p.grad.detach(), math.inf).float()
        for p in parameters
        # shards of distributed parameters may be empty
        if p.grad is not None and p.grad.numel()
    ]


def non_finite_terms(part: Mapping) -> dict[str, float]:
    """Losses of a pass (see :func:`load_record`) that are not finite."""
    return {k: v for k, v in part['losses'].items() if not math.isfinite(v)}


def describe(passes: Sequence[Mapping], parameters: Sequence[str]) -> str:
    """Say what was not finite, and in which clips; empty if nothing.

    Args:
        passes: See :func:`load_record`.
        parameters: Whose gradient is not finite although all losses are.
    """
    if parameters:
        what = (
            f'gradient not finite in {len(parameters)} parameters, first '
            f'{parameters[0]}'
        )
    else:
        passes = [part for part in passes if non_finite_terms(part)]
        what = ', '.join(
            f'{name} = {value}'
            for part in passes
            for name, value in non_finite_terms(part).items()
        )
    clips = [name for part in passes for name in name_clips(part['batch'])]
    return f'{what} in {", ".join(clips)}' if what and clips else what


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Check each step of the optimiser before it is made.

    A step whose losses or gradients hold NaN or infinity is never made. All processes
    decide the same. The message names the loss terms, else the parameters, and
    the clips; ``<work_dir>/non_finite_rank<r>.pth`` holds what the step needs to be
    computed again (:func:`recompute`, ``tools/recompute_step.py``), of the latest such
    step.

    With ``policy='skip'`` training goes on. A skipped step leaves weights, optimiser,
    teacher and the scale of mixed precision as they were, and all buffers of the model
    (running statistics, queues) as before the iterations that the step consists of. It
    counts as an iteration for the sampler, schedulers and generators; values that are
    not finite are not logged.

    Infinite gradients are normal where a scaler looks for the largest scale of mixed
    precision, which skips those steps itself; only its losses are checked, and that it
    does not skip more than ``MAX_OVERFLOWS`` in a row.

    The processor waits for the accelerator once a step, for one number.

    Args:
        policy: ``'stop'``, which raises ``FloatingPointError`` on all processes, or
            ``'skip'``.
        in_a_row: Steps that may be skipped one after the other, before it stops after
            all.
        in_total: Steps that may be skipped in a run, also if it is resumed.

    Raises:
        ValueError: If the policy is none of these.
    """

    # losses are checked before RuntimeInfoHook writes them into the log
    priority = 'HIGHEST'

    def __init__(self, policy: str = 'stop', in_a_row: int = 10, in_total: int = 100):
        if policy not in ('stop', 'skip'):
            raise ValueError(f"policy must be 'stop' or 'skip', got {policy!r}")
        self.policy = policy
        self.in_a_row = in_a_row
        self.in_total = in_total
        self._passes = []
        self._overflows = 0

    def before_train(self, runner: Runner) -> None:
        """Stand between the backward pass and the step."""
        self._model = bare_model(runner)
        self._handles = [
            self._model.register_forward_hook(self._note_losses, with_kwargs=True),
            runner.optim_wrapper.optimizer.register_step_post_hook(self._note_step),
        ]
        # mmengine calls no hook there
        self._step = runner.optim_wrapper.step
        runner.optim_wrapper.step = self._checked(runner, self._step)

    def after_train(self, runner: Runner) -> None:
        """Leave model and optimiser as they were."""
        runner.optim_wrapper.step = self._step
        for handle in self._handles:
            handle.remove()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Note what the iteration begins with."""
        if not self._passes:
            self._buffers = [buffer.clone() for buffer in self._model.buffers()]
            self._skipped = self._stepped = False
        self._passes.append(dict(batch=data_batch, generators=generator_states()))

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the log free of what is skipped."""
        if self.policy == 'skip' and outputs:
            # the log reads them next, so this is no further wait
            for name in list(outputs):
                if not torch.as_tensor(outputs[name]).isfinite():
                    del outputs[name]
        if not runner.optim_wrapper.should_update():
            return
        self._passes.clear()
        if self._skipped or self._stepped:
            self._overflows = 0
        else:
            self._overflows += 1
        if self._overflows > MAX_OVERFLOWS:
            raise FloatingPointError(
                f'gradients were infinite in {self._overflows} steps in a row although '
                'the scaler of mixed precision has lowered its scale each time; train '
                'without --amp to see where they begin'
            )

    def _note_losses(self, module, args, kwargs, output) -> None:
        if self._passes and kwargs.get('mode') == 'loss':
            self._passes[-1]['losses'] = loss_terms(output)

    def _note_step(self, optimizer, args, kwargs) -> None:
        self._stepped = True

    def _checked(self, runner: Runner, step: Callable) -> Callable:
        # schedulers count the steps in an attribute
        @functools.wraps(step)
        def step_if_finite(**kwargs) -> None:
            if self._is_finite(runner.optim_wrapper):
                if self.policy == 'skip':
                    runner.message_hub.update_info('skipped_in_a_row', 0)
                step(**kwargs)
            else:
                self._refuse(runner)

        return step_if_finite

    def _is_finite(self, optim_wrapper) -> bool:
        totals = [
            sum(part['losses'].values()).float().reshape(())
            for part in self._passes
            if part.get('losses')
        ]
        if getattr(optim_wrapper, 'loss_scaler', None) is None:
            groups = optim_wrapper.optimizer.param_groups
            totals += largest_gradients([p for g in groups for p in g['params']])
        if not totals:
            return True
        bad = (~torch.stack(totals).isfinite().all()).float()
        all_reduce(bad, 'max')
        return not bad.item()

    def _refuse(self, runner: Runner) -> None:
        self._restore_buffers()
        for part in self._passes:
            terms = part.get('losses', {})
            part['losses'] = {name: float(value) for name, value in terms.items()}
        infinite = any(map(non_finite_terms, self._passes))
        # a loss that is not finite makes all gradients so
        parameters = [] if infinite else non_finite_gradients(self._model)
        record = dict(
            weights=self._model.state_dict(),
            passes=self._passes,
            autocast=autocast_type(runner.optim_wrapper),
            progress={key: runner.message_hub.get_info(key) for key in PROGRESS},
            parameters=parameters,
            rank=get_rank(),
        )
        path = Path(runner.work_dir, f'non_finite_rank{get_rank()}.pth')
        try:
            save_record(path, record)
            where = f'recorded in {path}'
        # the other processes are waiting, and the disk may be full
        except (OSError, RuntimeError) as error:
            where = f'{path} could not be written: {error}'
        found = describe(self._passes, parameters)
        found = all_gather_object(f'{found} ({where})' if found else '')
        found = '; '.join(filter(None, found))
        where = f'iteration {runner.iter + 1} (epoch {runner.epoch + 1})'
        if self.policy == 'stop':
            raise FloatingPointError(f'{where}: {found}')
        self._count_skipped(runner, f'{where}: {found}')

    def _count_skipped(self, runner: Runner, message: str) -> None:
        hub = runner.message_hub
        row = hub.get_info('skipped_in_a_row', 0) + 1
        total = hub.get_info('skipped_in_total', 0) + 1
        hub.update_info_dict(dict(skipped_in_a_row=row, skipped_in_total=total))
        if row > self.in_a_row or total > self.in_total:
            raise FloatingPointError(
                f'{message}. Steps skipped: {row} in a row (at most {self.in_a_row}), '
                f'{total} in total (at most {self.in_total})'
            )
        runner.logger.warning(f'skipped step number {total}: {message}')
        self._skipped = True

    @torch.no_grad()
    def _restore_buffers(self) -> None:
        for buffer, value in zip(self._model.buffers(), self._buffers):
            buffer.copy_(value)
