"""What a training log tells beyond mmengine's: sums of losses, clips, memory."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence

import torch
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.device import is_cuda_available, is_musa_available
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .teacher_update_hook import bare_model

try:
    import resource
except ImportError:  # Windows
    resource = None


def split_loss(
    outputs: Mapping[str, float], supervised: Collection[str]
) -> tuple[float, float]:
    """Sums of the supervised and of all other terms; together they are ``loss``.

    Args:
        outputs: What a model's ``train_step`` returns: ``loss``, its terms, whose names
            contain "loss", and values that are only logged.
        supervised: Names of terms.
    """
    terms = {
        name: torch.as_tensor(value).detach().item()
        for name, value in outputs.items()
        if 'loss' in name and name != 'loss'
    }
    known = sum(value for name, value in terms.items() if name in supervised)
    return known, sum(terms.values()) - known


def count_clips(data_samples: Sequence[ActionDataSample]) -> tuple[int, int]:
    """Labelled and unlabelled clips of a batch."""
    labeled = sum('gt_label' in sample for sample in data_samples)
    return labeled, len(data_samples) - labeled


def peak_memory() -> int:
    """Largest resident memory of this process so far, in MB (2^20 bytes)."""
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


@HOOKS.register_module()
class TrainingStatsHook(Hook):
    """Adds to each line and record of the training log.

    * ``sup_loss`` and ``unsup_loss`` of a ``SemiDetector``: the terms that compare
      labelled clips with their truth, and the rest, see
      ``SemiMethod.supervised_terms``. They do not begin with ``loss``, whose terms
      they would count twice;
    * ``labeled_<term>`` and ``unlabeled_<term>``, what clips of each kind add to a
      term that compares predictions, where the method tells
      (``SemiDetector.labeled_shares``);
    * ``labeled_clips`` and ``unlabeled_clips`` of an iteration, all processes together
      (each is taken to have as many as the first, as ``MixedSampler`` sees to);
    * ``labeled_per_s`` and ``unlabeled_per_s``, by the mean ``time`` of an iteration
      that the log shows;
    * ``memory``, where mmengine, which tells that of the GPU, has none:
      :func:`peak_memory`, without the loader's workers. Not on Windows.
    """

    # after the timer, whose time it needs, and before the logger
    priority = 'NORMAL'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict, outputs: dict
    ) -> None:
        """Put the numbers of an iteration into the message hub."""
        hub = runner.message_hub
        model = bare_model(runner)
        supervised = getattr(model, 'supervised_terms', None)
        if supervised is not None:
            for name, value in zip(('sup', 'unsup'), split_loss(outputs, supervised)):
                hub.update_scalar(f'train/{name}_loss', value)
        for term, share in getattr(model, 'labeled_shares', {}).items():
            rest = outputs[term].detach() - share
            hub.update_scalar(f'train/labeled_{term}', float(share))
            hub.update_scalar(f'train/unlabeled_{term}', float(rest))
        window = runner.log_processor.window_size
        seconds = hub.get_scalar('train/time').mean(window)
        counts = count_clips(data_batch['data_samples'])
        for name, count in zip(('labeled', 'unlabeled'), counts):
            hub.update_scalar(f'train/{name}_clips', count * get_world_size())
            clips = hub.get_scalar(f'train/{name}_clips').mean(window)
            hub.update_scalar(f'train/{name}_per_s', float(clips / seconds))
        if resource and not (is_cuda_available() or is_musa_available()):
            hub.update_scalar('train/memory', peak_memory(), resumed=False)
