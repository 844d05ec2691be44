"""MixMatch (Berthelot et al., NeurIPS 2019) for action masks."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.models.losses.class_consistency import class_distribution
from ssvad.models.losses.supervised import dice_loss
from ssvad.ramps import linear_rampup

from .method import SemiMethod
from .step import Step


def sharpen(distribution: Tensor, temperature: float) -> Tensor:
    """``p^(1/T)``, normalised over dimension 1.

    Args:
        distribution: (B, K, ...).
        temperature: T; 1 changes nothing, near 0 the largest entry becomes 1.
    """
    return F.normalize(distribution ** (1 / temperature), p=1, dim=1)


def sharpen_mask(prob: Tensor, temperature: float) -> Tensor:
    """:func:`sharpen` of foreground against background; any shape."""
    return sharpen(torch.stack([prob, 1 - prob], 1), temperature)[:, 0]


class Mixable(NamedTuple):
    """N clips and what is to be predicted on them, all of it mixed alike.

    clips: (N, C, T, H, W). classes: (N, K) distribution. masks: (N, T, H, W) in [0, 1].
    gates: (N, K) of the mask decoder.
    """

    clips: Tensor
    classes: Tensor
    masks: Tensor
    gates: Tensor

    def mixed(self, other: Tensor, share: Tensor) -> Mixable:
        """Each with the one at index ``other`` (N,); ``share`` (N,) is its own."""

        def mix(x: Tensor) -> Tensor:
            own = share.view(-1, *[1] * (x.ndim - 1)).to(x)
            return own * x + (1 - own) * x[other]

        return Mixable(*(mix(field) for field in self))


@MODELS.register_module()
class MixMatch(SemiMethod):
    """Guess labels of unlabelled clips from their views, sharpen, mix everything.

    The guess is the mean over the weak and the strong view (K = 2), which share their
    geometry. Labelled clips (strong view) and both views of unlabelled ones are mixed
    with random partners. On mixtures of mostly labelled clips: cross entropy of the
    normalised class scores, cross entropy and Dice of masks; of mostly unlabelled ones:
    mean squared error of both. The paper of the detector gives no settings; in its
    Table 3 MixMatch nearly collapses, so this is a baseline, not a recommendation.

    Args:
        loss_weight: lambda_u of the unlabelled terms.
        temperature: T of :func:`sharpen`.
        concentration: alpha of Beta(alpha, alpha), from which the shares come.
        rampup: Part of training in which the weight rises, linearly.
    """

    views = ('weak', 'strong')
    sup_view = None
    supervised_terms = ('loss_cls', 'loss_mask_bce', 'loss_mask_dice')

    def __init__(
        self,
        loss_weight: float = 1.0,
        temperature: float = 0.5,
        concentration: float = 0.75,
        rampup: float = 0.4,
    ):
        super().__init__()
        self.loss_weight = loss_weight
        self.temperature = temperature
        self.concentration = concentration
        self.rampup = rampup

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`; the supervised terms are among them."""
        known = step.labeled
        together, truth = self.targets(step)
        count = len(together.clips)
        share = torch.distributions.Beta(self.concentration, self.concentration)
        share = share.sample((count,)).to(together.clips)
        share = torch.maximum(share, 1 - share)
        other = torch.randperm(count).to(known.device)
        mixed = together.mixed(other, share)
        output = step.student_on(mixed.clips, mixed.gates)
        scores = class_distribution(output.scores)

        def mean(values: Tensor, rows: Tensor) -> Tensor:
            return values[rows].sum() / values[0].numel() / rows.sum().clamp(min=1)

        cross = -(mixed.classes * scores.log()).sum(1)
        bce = F.binary_cross_entropy_with_logits(
            output.mask, mixed.masks, reduction='none'
        )
        squared = (output.mask.sigmoid() - mixed.masks).square()
        weight = self.loss_weight * linear_rampup(step.progress.done, self.rampup)
        return dict(
            loss_cls=mean(cross, truth),
            loss_mask_bce=mean(bce, truth),
            loss_mask_dice=dice_loss(output.mask[truth], mixed.masks[truth]),
            loss_unsup_cls=weight * mean((scores - mixed.classes).square(), ~truth),
            loss_unsup_mask=weight * mean(squared, ~truth),
        )

    @torch.no_grad()
    def targets(self, step: Step) -> tuple[Mixable, Tensor]:
        """All clips with given or guessed labels, and which of them are labelled.

        Returns:
            L labelled clips, U weak, U strong views; (L + 2 U,) bool.
        """
        known = step.labeled
        outputs = [step.student(view) for view in self.views]
        classes = sum(class_distribution(out.scores) for out in outputs) / 2
        masks = sum(out.mask.sigmoid() for out in outputs) / 2
        classes = sharpen(classes, self.temperature)
        masks = sharpen_mask(masks, self.temperature)
        gates = [step.class_gate(view) for view in self.views]
        clips = [step.clips(view) for view in self.views]
        if known.any():
            labels = torch.cat([s.gt_label for s in step.labeled_samples()])
            classes[known] = F.one_hot(labels, classes.shape[1]).to(classes)
            masks[known] = step.labeled_masks().to(masks)
        rows = [known, ~known, ~known]
        views = [1, 0, 1]
        together = Mixable(
            torch.cat([clips[v][r] for v, r in zip(views, rows)]),
            torch.cat([classes[r] for r in rows]),
            torch.cat([masks[r] for r in rows]),
            torch.cat([gates[v][r] for v, r in zip(views, rows)]),
        )
        truth = torch.zeros(len(together.clips), dtype=torch.bool, device=known.device)
        truth[: int(known.sum())] = True
        return together, truth
