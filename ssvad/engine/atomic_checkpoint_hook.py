"""Checkpoints of which a whole one exists at every moment."""

from __future__ import annotations

import os.path as osp
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner

from ssvad.files import remove_parts

from .checkpoint_files import CheckpointError, find_resumable, read_position
from .whole_file_backend import WholeFileBackend


def progress(loop: BaseLoop) -> int:
    """What a training loop counts until it validates: iterations or epochs done."""
    return loop.iter if isinstance(loop, IterBasedTrainLoop) else loop.epoch


def validation_is_due(loop: BaseLoop) -> bool:
    """Whether a training loop validates where it is now."""
    # as the loops do it, after each step that they count
    loop._decide_current_val_interval()
    iterations = isinstance(loop, IterBasedTrainLoop)
    last = loop.max_iters if iterations else loop.max_epochs
    done = progress(loop)
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)


class RemovalsLater:
    """A storage backend that takes a note of what is to be removed.

    Args:
        backend: does all the rest.
    """

    def __init__(self, backend):
        self._backend, self.noted = backend, []

    def __getattr__(self, name):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Note a file or folder."""
        self.noted.append(path)

    rmtree = remove

    def remove_noted(self) -> None:
        """Remove what has been noted and is still there."""
        while self.noted:
            path = self.noted.pop()
            if self._backend.isfile(path):
                self._backend.remove(path)
            elif self._backend.isdir(path):
                self._backend.rmtree(path)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` for runs that may be killed at any moment.

    * Files are written all or nothing (:class:`WholeFileBackend`), and outdated ones
      removed when the new one is there and named in ``last_checkpoint``. This takes the
      room of one checkpoint more.
    * A validation is part of the state: mmengine saves before it, and again only if the
      score is the best so far. This hook saves again always, and a run that was killed
      in the validation begins with it when resumed. So no score and no step of a
      scheduler that follows the score is lost.
    * Resuming (``resume=True``) goes on from the newest whole checkpoint, see
      :func:`find_resumable`; a damaged one named in ``load_from`` is refused.
    * Best checkpoints of a run that was moved or copied are looked for where it is now.

    Arguments are those of ``mmengine.hooks.CheckpointHook``.
    """

    # step of a checkpoint that was written before the validation
    _before_validation = None
    _meta = None

    def before_run(self, runner: Runner) -> None:
        """Decide what to go on from, the same on all ranks.

        Raises:
            CheckpointError: if the checkpoint asked for is torn, or all are.
        """
        if not runner._resume:
            return
        decision = [None]
        if is_main_process():
            try:
                decision = [self._choose(runner)]
            except CheckpointError as error:
                decision = [error]
        broadcast_object_list(decision)
        if isinstance(decision[0], CheckpointError):
            raise decision[0]
        runner._resume, runner._load_from = decision[0]

    def _choose(self, runner: Runner) -> tuple[bool | str, str | None]:
        """Return what ``resume`` and ``load_from`` have to be."""
        asked = runner._load_from
        if isinstance(runner._resume, str):  # as FlexibleRunner has it
            asked = runner._resume
        if asked is not None:
            # folders are sharded checkpoints: nothing can be told about them
            if '://' not in asked and not Path(asked).expanduser().is_dir():
                read_position(Path(asked).expanduser())
            return runner._resume, runner._load_from
        folder = runner.work_dir
        if self.out_dir is not None and self.out_dir != folder:
            folder = osp.join(self.out_dir, osp.basename(folder))
        if '://' in folder:
            return True, None
        path, refused = find_resumable(folder, Path(runner.work_dir, 'last_checkpoint'))
        if path is None:
            runner.logger.info(f'No checkpoint in {folder}: training starts anew.')
            return False, None
        if refused:
            why = '; '.join(refused)
            runner.logger.warning(f'{why}; going on from the previous one, {path}')
        return True, str(path)

    def before_train(self, runner: Runner) -> None:
        """Tidy up after a run that was killed, and validate if it could not."""
        super().before_train(runner)
        self.file_backend = RemovalsLater(self.file_backend)
        hub = runner.message_hub
        if is_main_process():
            remove_parts(self.out_dir, '*.pth')
            remove_parts(runner.work_dir, 'last_checkpoint')
            for name in hub.runtime_info.get('outdated_ckpts', []):
                self.file_backend.remove(self._place(name))
            self.file_backend.remove_noted()
        self._relocate_best(hub)

        loop = runner.train_loop
        if progress(loop) == 0:
            hub.update_info('last_validation', 0)
        # absent from checkpoints that another hook has written
        validated = hub.runtime_info.get('last_validation', progress(loop))
        if runner.val_loop is None or validated == progress(loop):
            return
        if validation_is_due(loop):
            runner.logger.info('The run ended before its validation: validating.')
            # as it would have been then: the hub counts from 0, the runner is done
            hub.update_info('iter', runner.iter - 1)
            if not isinstance(loop, IterBasedTrainLoop):
                hub.update_info('epoch', runner.epoch - 1)
            self._before_validation = self._step(runner)
            runner.val_loop.run()

    def _place(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, osp.basename(path))

    def _relocate_best(self, hub) -> None:
        if not self.save_best:
            return
        if len(self.key_indicators) == 1:
            if self.best_ckpt_path:
                self.best_ckpt_path = self._place(self.best_ckpt_path)
                hub.update_info('best_ckpt', self.best_ckpt_path)
            return
        for key, path in self.best_ckpt_path_dict.items():
            if path:
                self.best_ckpt_path_dict[key] = self._place(path)
                hub.update_info(f'best_ckpt_{key}', self._place(path))

    def _step(self, runner: Runner) -> int:
        return runner.epoch if self.by_epoch else runner.iter

    def _save_checkpoint(self, runner: Runner) -> None:
        super()._save_checkpoint(runner)
        # the loop has not counted this step yet
        self._before_validation = self._step(runner) + 1

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save what the validation has changed, whether it was the best or not."""
        if runner._train_loop is None or isinstance(runner._train_loop, dict):
            return super().after_val_epoch(runner, metrics)
        hub = runner.message_hub
        hub.update_info('last_validation', progress(runner.train_loop))
        super().after_val_epoch(runner, metrics)
        step = self._step(runner)
        if self._before_validation == step:
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)
        self.file_backend.remove_noted()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write the new one, then name it, then remove the outdated ones."""
        self._before_validation = None
        hub = runner.message_hub
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                oldest = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                if is_main_process():
                    self.file_backend.remove(self._place(oldest))
            self.keep_ckpt_ids.append(step)
            hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        # whoever resumes from the new one removes them, if this process cannot
        outdated = [osp.basename(path) for path in self.file_backend.noted]
        hub.update_info('outdated_ckpts', outdated)

        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        hub.update_info('last_ckpt', self.last_ckpt)
        self._meta = dict(meta)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._meta = None
        if is_main_process():
            name = osp.join(runner.work_dir, 'last_checkpoint')
            WholeFileBackend().put_text(self.last_ckpt, name)
            self.file_backend.remove_noted()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Correct the epoch: ``FlexibleRunner`` takes no notice of ``meta``."""
        if self._meta is not None:
            checkpoint['meta'].update(self._meta)
