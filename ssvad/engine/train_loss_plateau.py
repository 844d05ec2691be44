"""Learning-rate plateau on the training loss, as the published schedule has it."""

from __future__ import annotations

import torch
from mmaction.registry import PARAM_SCHEDULERS
from mmengine.dist import all_reduce
from mmengine.logging import MessageHub
from mmengine.optim import ReduceOnPlateauLR


@PARAM_SCHEDULERS.register_module()
class TrainLossPlateauLR(ReduceOnPlateauLR):
    """Lower the learning rate when the epoch's mean training loss stops falling.

    mmengine's own ``ReduceOnPlateauLR`` sees validation metrics only. All ranks
    decide on the same number, the mean over ranks.

    Args:
        monitor: Scalar of the message hub, logged in every training iteration.
        **kwargs: As for ``mmengine.optim.ReduceOnPlateauLR`` (``factor``,
            ``patience``, ``min_value``, ...).
    """

    need_val_args = False

    def __init__(self, *args, monitor: str = 'train/loss', **kwargs):
        super().__init__(*args, monitor=monitor, **kwargs)

    def step(self) -> None:
        """Compare the epoch that has just ended with the best so far.

        Raises:
            KeyError: If nothing is logged under ``monitor``.
        """
        hub = MessageHub.get_current_instance()
        if self.monitor not in hub.log_scalars:
            raise KeyError(
                f'TrainLossPlateauLR monitors {self.monitor!r}, but training logs '
                f'{sorted(hub.log_scalars)}'
            )
        info = hub.runtime_info
        iters_per_epoch = info['max_iters'] // info['max_epochs']
        mean = torch.tensor(hub.get_scalar(self.monitor).mean(iters_per_epoch))
        all_reduce(mean, op='mean')
        super().step({self.monitor: mean.item()})
