"""Mean Teacher (Tarvainen & Valpola 2017) for action masks."""

from __future__ import annotations

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.ramps import epoch_ramp

from .method import SemiMethod
from .step import Step


@MODELS.register_module()
class MeanTeacher(SemiMethod):
    """The student's mask logits on the strong view follow the teacher's on the weak.

    ``loss_weight * w * mean((z_s - z_t)^2)`` over labelled and unlabelled clips, as in
    the baseline of Stable Mean Teacher (AAAI 2025); labelled clips are supervised on
    the strong view. Both views share their geometry, so nothing has to be aligned.

    Args:
        loss_weight: 0.1 in the released code.
        ramp: Config of w, see :func:`ssvad.ramps.epoch_ramp`; released: none for
            UCF101-24, ``dict(kind='sigmoid', length=16)`` for JHMDB-21.
    """

    views = ('weak', 'strong')
    sup_view = 'strong'
    needs_teacher = True

    def __init__(self, loss_weight: float = 0.1, ramp: dict | None = None):
        super().__init__()
        self.loss_weight = loss_weight
        self.ramp = epoch_ramp(ramp)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`."""
        weight = self.loss_weight * self.ramp(step.progress)
        masks = step.student('strong').mask, step.teacher('weak').mask
        term = step.compare('loss_cons_mask', F.mse_loss, *masks, weight)
        return dict(loss_cons_mask=term)

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Mask probabilities of student and teacher."""
        return {
            'student, strong view': step.student('strong').mask.sigmoid(),
            'teacher, weak view': step.teacher('weak').mask.sigmoid(),
        }
