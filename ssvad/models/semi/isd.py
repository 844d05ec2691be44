"""ISD (Jeong et al., CVPR 2021) for capsule detectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.models.losses.class_consistency import class_distribution, mutual_kl
from ssvad.ramps import csd_ramp

from .consistency import masked_mean
from .csd import CSD
from .step import Step


def foreground_distribution(logits: Tensor) -> Tensor:
    """(B, T, H, W) mask logits as (B, 2, T, H, W) foreground and background."""
    return torch.stack([logits.sigmoid(), (-logits).sigmoid()], 1).clamp(min=1e-7)


@MODELS.register_module()
class ISD(CSD):
    """CSD, and the prediction on a mixture of two clips must be a mixture, too.

    Each clip x is mixed with the mirror image of another, x', as
    ``lambda x + (1 - lambda) x'``; the other one is half a batch further on. Where both
    clips show foreground (type I) the mixture of both predictions and the prediction on
    the mixture are drawn together by a symmetric KL divergence; where one does (type
    II) the latter follows that one, in KL and in squared logits. Whole clips count as
    type I for classes.

    Args:
        loss_weight: Factor of everything.
        class_weight: As for :class:`CSD`.
        mask_weight: As for :class:`CSD`, by default with the mask term.
        type1_weight: Factor of type I (released: 0.1).
        concentration: alpha of Beta(alpha, alpha), from which lambda comes (released:
            100, so that lambda is near 0.5).
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        class_weight: float = 1.0,
        mask_weight: float = 1.0,
        type1_weight: float = 0.1,
        concentration: float = 100.0,
    ):
        super().__init__(loss_weight, class_weight, mask_weight)
        self.type1_weight = type1_weight
        self.concentration = concentration

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`."""
        losses = super().forward(step)
        left, right = step.student('base'), step.student('flip')
        count = len(left.scores)
        other = torch.arange(count, device=left.scores.device).roll(count // 2)
        right = right.rows(other)
        share = torch.distributions.Beta(self.concentration, self.concentration)
        share = share.sample().item()
        gate = share * step.class_gate('base')
        gate = gate + (1 - share) * step.class_gate('flip')[other]
        clips = share * step.clips('base') + (1 - share) * step.clips('flip')[other]
        mixed = step.student_on(clips, gate)

        weight = self.loss_weight * csd_ramp(step.progress.done)
        masks = self.mask_terms(left.mask, right.mask, mixed.mask, share)
        classes = mutual_kl(
            share * class_distribution(left.scores)
            + (1 - share) * class_distribution(right.scores),
            class_distribution(mixed.scores),
        ).mean()
        losses['loss_mix_mask'] = weight * masks
        losses['loss_mix_cls'] = weight * self.type1_weight * classes
        return losses

    def mask_terms(
        self, left: Tensor, right: Tensor, mixed: Tensor, share: float
    ) -> Tensor:
        """Type I and II of (B, T, H, W) mask logits.

        Args:
            left: Of the first clips.
            right: Of the second clips.
            mixed: Of the mixtures.
            share: lambda of the first clips.

        Returns:
            Scalar.
        """
        p, q, m = (foreground_distribution(x) for x in (left, right, mixed))
        in_left, in_right = left > 0, right > 0
        both = mutual_kl(share * p + (1 - share) * q, m)
        loss = self.type1_weight * masked_mean(both, in_left & in_right)
        for target, logits, only in (
            (p, left, in_left & ~in_right),
            (q, right, in_right & ~in_left),
        ):
            target = target.detach()
            divergence = (target * (target.log() - m.log())).sum(1)
            squared = F.mse_loss(mixed, logits.detach(), reduction='none')
            loss = loss + masked_mean(divergence + squared, only)
        return loss
