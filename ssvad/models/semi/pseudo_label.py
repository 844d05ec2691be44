"""Pseudo-labels (Lee 2013) in the course of training."""

from __future__ import annotations

from mmaction.registry import MODELS
from torch import Tensor

from ssvad.models.losses.class_consistency import class_distribution
from ssvad.ramps import delayed_rampup

from .method import SemiMethod
from .step import Step


def mask_confidence(prob: Tensor) -> Tensor:
    """Mean probability of what is taken for foreground, ``mean(p | p > 0.5)``.

    Args:
        prob: (B, T, H, W).

    Returns:
        (B,) in (0.5, 1], 0 without any foreground.
    """
    foreground = prob > 0.5
    total = (prob * foreground).flatten(1).sum(1)
    return total / foreground.flatten(1).sum(1).clamp(min=1)


@MODELS.register_module()
class PseudoLabel(SemiMethod):
    """Unlabelled clips on which the detector is sure are trained like labelled ones.

    Class and mask (``p > 0.5``) of the prediction itself are the truth of clips whose
    normalised class score and :func:`mask_confidence` reach the thresholds. The weight
    rises linearly over the first part of training. ``tools/pseudo_label.py`` does the
    same offline, in rounds, as the paper's baseline.

    Args:
        loss_weight: Factor.
        class_thr: Least share of the best class in all class scores, in [0, 1].
        mask_thr: Least mask confidence, in [0, 1].
        rampup: Part of training in which the weight rises (semilearn: 0.4).
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        class_thr: float = 0.7,
        mask_thr: float = 0.7,
        rampup: float = 0.4,
    ):
        super().__init__()
        self.loss_weight = loss_weight
        self.class_thr = class_thr
        self.mask_thr = mask_thr
        self.rampup = rampup

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`; logs how many clips were taken."""
        output = step.student('base')
        prob = output.mask.detach().sigmoid()
        share, label = class_distribution(output.scores.detach()).max(1)
        sure = (share >= self.class_thr) & (mask_confidence(prob) >= self.mask_thr)
        taken = sure & ~step.labeled
        losses = step.loss_against(output.rows(taken), label[taken], prob[taken] > 0.5)
        weight = self.loss_weight * delayed_rampup(step.progress.done, 0, self.rampup)
        losses = {
            k.replace('loss_', 'loss_pseudo_'): weight * v for k, v in losses.items()
        }
        return dict(losses, pseudo_labels=taken.float().sum())
