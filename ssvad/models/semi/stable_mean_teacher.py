"""Stable Mean Teacher (AAAI 2025): error recovery and difference of pixels."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from .mean_teacher import MeanTeacher
from .step import Step

BALANCES = ('sum', 'ramped_sum', 'to_motion', 'to_pixels')


def difference_of_pixels(student: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of the changes from frame to frame ("DoP").

    Args:
        student: (B, T, H, W) logits.
        target: Same shape.

    Returns:
        Scalar, mean over B, T - 1, H, W.
    """
    return F.mse_loss(student.diff(dim=1), target.diff(dim=1))


@MODELS.register_module()
class StableMeanTeacher(MeanTeacher):
    """Mean Teacher with a second target that a small network has repaired.

    The error recovery network (EoR) learns on labelled clips to turn the student's
    mask probabilities into the ground truth; what its moving average makes of the
    teacher's masks is the second target of the student. Each target z' is compared in
    values and in motion ::

        D(z') = mean((z - z')^2)  (+)  DoP(z, z')
        L = loss_weight * w * (D(teacher) + D(recovered teacher))

    No gradient flows from the recovery network into the detector. The detector alone
    is used for inference.

    Args:
        recovery: Config of the recovery network, (B, 1, T, H, W) probabilities to
            logits; ``None`` leaves it out, as in the paper's ablation.
        loss_mask: Config of the recovery network's loss.
        balance: How (+) weighs values and motion. ``'sum'``, the default: both fully.
            ``'ramped_sum'``, as published: both times w, which makes w^2 in all.
            ``'to_motion'`` and ``'to_pixels'`` go over from one to the other with w
            (two more options of the released code).
        ramp_recovered: Multiply D(recovered teacher) by w once more (another option
            of the released code).
        recover_all: Run the recovery network of the student on unlabelled clips, too,
            as released. Nothing is learnt from it; only the dropout drawn differs.
        **kwargs: As for :class:`MeanTeacher`.

    Raises:
        ValueError: If ``balance`` is none of those named.
    """

    supervised_terms = ('loss_recovery_bce', 'loss_recovery_dice')

    def __init__(
        self,
        recovery: dict | None = dict(type='ErrorRecovery'),  # noqa: B006 (read only)
        loss_mask: dict = dict(type='MaskLoss'),  # noqa: B006
        balance: str = 'sum',
        ramp_recovered: bool = False,
        recover_all: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if balance not in BALANCES:
            raise ValueError(f'balance must be one of {BALANCES}, got {balance!r}')
        self.recovery = None if recovery is None else MODELS.build(recovery)
        self.loss_mask = MODELS.build(loss_mask)
        self.balance = balance
        self.ramp_recovered = ramp_recovered
        self.recover_all = recover_all

    def averaged_modules(self) -> dict[str, nn.Module]:
        """The recovery network."""
        return {} if self.recovery is None else {'recovery': self.recovery}

    def distance(self, student: Tensor, target: Tensor, ramp: float) -> Tensor:
        """D of the class docstring, of (B, T, H, W) logits."""
        values = F.mse_loss(student, target)
        motion = difference_of_pixels(student, target)
        if self.balance == 'to_motion':
            return ramp * motion + (1 - ramp) * values
        if self.balance == 'to_pixels':
            return ramp * values + (1 - ramp) * motion
        return (ramp if self.balance == 'ramped_sum' else 1.0) * (values + motion)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`; supervises the recovery network, too."""
        ramp = self.ramp(step.progress)
        weight = self.loss_weight * ramp
        student, teacher = step.student('strong').mask, step.teacher('weak').mask
        distance = partial(self.distance, ramp=ramp)
        term = step.compare('loss_cons_mask', distance, student, teacher, weight)
        losses = dict(loss_cons_mask=term)
        if self.recovery is None:
            return losses
        if self.ramp_recovered:
            weight = weight * ramp
        target = self.recovered(step)
        term = step.compare('loss_cons_recovered', distance, student, target, weight)
        losses['loss_cons_recovered'] = term
        losses.update(self._recovery_losses(step))
        return losses

    def recovered(self, step: Step) -> Tensor:
        """(B, T, H, W) logits that the averaged network makes of the teacher's."""
        masks = step.teacher('weak').mask.sigmoid()[:, None]
        with torch.no_grad():
            return step.averaged('recovery')(masks)[:, 0]

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Mask probabilities of student, teacher and recovered teacher."""
        maps = super().maps(step)
        if self.recovery is not None:
            maps['recovered teacher'] = self.recovered(step).sigmoid()
        return maps

    def _recovery_losses(self, step: Step) -> dict[str, Tensor]:
        masks = step.student('strong').mask.detach().sigmoid()[:, None]
        if not step.labeled.any():  # compared all the same: other ranks wait for it
            connected = sum(p.sum() for p in self.recovery.parameters())
            logits, target = masks[:0] + connected * 0, masks[:0, 0]
        else:
            known = step.labeled
            if self.recover_all:
                logits = self.recovery(masks)[known]
            else:
                logits = self.recovery(masks[known])
            target = step.labeled_masks().to(masks)
        losses = self.loss_mask(logits[:, 0], target)
        return {k.replace('_mask_', '_recovery_'): v for k, v in losses.items()}
