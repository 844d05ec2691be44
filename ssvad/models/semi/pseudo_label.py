"""Pseudo-labels (Lee 2013) in the course of training."""

from __future__ import annotations

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.ramps import delayed_rampup

from .method import SemiMethod
from .step import Step


def class_margin(scores: Tensor) -> Tensor:
    """How far the best class is ahead of the second: what the spread loss trains.

    Class activations are no distribution. That loss asks for 0.2 between the true class
    and each other and then rests, so the best of 24 classes holds a small share of
    their sum even where the network is sure, and no threshold fits all K.

    Args:
        scores: (B, K) in [0, 1]; the only class of K = 1 is ahead of 0.

    Returns:
        (B,) in [0, 1].
    """
    best, second = F.pad(scores, (0, 1)).topk(2, 1).values.unbind(1)
    return best - second


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
    :func:`class_margin` and :func:`mask_confidence` reach the thresholds. The weight
    rises linearly over the first part of training. ``tools/pseudo_label.py`` does
    likewise offline, in rounds, as the paper's baseline.

    Args:
        loss_weight: Factor.
        class_thr: Least class margin, in [0, 1]; by default half of what the spread
            loss asks for: from all of it on, the class of a clip teaches nothing.
        mask_thr: Least mask confidence, in [0, 1].
        rampup: Part of training in which the weight rises (semilearn: 0.4).
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        class_thr: float = 0.1,
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
        scores = output.scores.detach()
        sure = class_margin(scores) >= self.class_thr
        sure &= mask_confidence(prob) >= self.mask_thr
        taken, label = sure & ~step.labeled, scores.argmax(1)
        losses = step.loss_against(output.rows(taken), label[taken], prob[taken] > 0.5)
        weight = self.loss_weight * delayed_rampup(step.progress.done, 0, self.rampup)
        losses = {
            k.replace('loss_', 'loss_pseudo_'): weight * v for k, v in losses.items()
        }
        return dict(losses, pseudo_labels=taken.float().sum())
