"""Training by epochs that can be resumed within one."""

from __future__ import annotations

from mmaction.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, set_random_seed
from torch import nn

from .mid_epoch_loader import ITERATION, mix_seeds, placed_loader


@LOOPS.register_module()
class MidEpochTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that goes on after the iteration of the checkpoint.

    Used with ``MidEpochCheckpointHook``. All randomness is a function of the place in
    training: each sample is drawn with a seed of its own, made of the run's seed,
    epoch, rank and position in the epoch, and each iteration begins with a seed made of
    the run's, its number and the rank. So nothing has to be saved of generators, the
    batches that are done are skipped without loading them, and a resumed run equals
    one that was never interrupted, whatever the number of loader workers, persistent
    or not.

    Args:
        args: As for ``EpochBasedTrainLoop``.
        kwargs: As for ``EpochBasedTrainLoop``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dataloader = placed_loader(self.dataloader, get_rank())
        self._sampler_seed = self.runner.seed
        self._first = 0

    def run(self) -> nn.Module:
        """Train.

        Raises:
            ValueError: If a checkpoint from within an epoch does not fit this run.
        """
        self._first = self._resumed_batch()
        return super().run()

    def run_epoch(self) -> None:
        """Iterate an epoch, or what is left of the one that was resumed."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        first, self._first = self._first, 0
        batches = self.dataloader.batch_sampler
        batches.begin(self.runner.seed, self._epoch, first)
        for idx, data_batch in enumerate(self.dataloader, first):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Seed all generators and train on a batch."""
        # not before: with num_workers=0 loading the batch has seeded them, too
        set_random_seed(mix_seeds(ITERATION, self.runner.seed, self._iter, get_rank()))
        super().run_iter(idx, data_batch)

    def _resumed_batch(self) -> int:
        """Batches of the epoch that a checkpoint has done."""
        # what RuntimeInfoHook wrote into the checkpoint, before it writes anew
        info = self.runner.message_hub.runtime_info
        length = len(self.dataloader)
        saved = length
        if self._iter and 'max_iters' in info:
            saved = info['max_iters'] // info['max_epochs']
        done = self._iter - self._epoch * saved
        if done == 0:
            return 0
        if saved != length or not 0 < done <= length:
            raise ValueError(
                f'the checkpoint is from iteration {self._iter}, batch {done} of '
                f'{saved} in epoch {self._epoch + 1}, and this run has {length} '
                'batches an epoch: resume with the same data, batch size and number of '
                'processes, or from a checkpoint made at the end of an epoch'
            )
        if self.runner.seed != self._sampler_seed:
            raise ValueError(
                f'the checkpoint was made with seed {self.runner.seed} and the sampler '
                f'of this run with {self._sampler_seed}: to resume within an epoch set '
                f'randomness.seed={self.runner.seed} (tools/train.py --seed)'
            )
        accumulate = self.runner.optim_wrapper._accumulative_counts
        if self._iter % accumulate and self._iter != self.max_iters:
            raise ValueError(
                f'the checkpoint is from iteration {self._iter}, in the middle of '
                f'{accumulate} iterations that accumulate gradients, which it does not '
                'hold: resume from another one'
            )
        return done
