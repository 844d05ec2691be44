"""Losses that need ground truth: class margin and mask overlap."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from ssvad.models.losses.across_ranks import sum_over_ranks
from ssvad.ramps import train_progress


def spread_loss(scores: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Margin between the true class and each other: ``max(0, m - (a_t - a_j))^2``.

    Args:
        scores: (B, K) class activations in [0, 1].
        labels: (B,) int64 true classes.
        margin: m.

    Returns:
        Scalar: summed over the wrong classes, mean over clips.
    """
    target = scores.gather(1, labels[:, None])  # (B, 1)
    hinge = F.relu(margin - (target - scores)).square()
    wrong = 1 - F.one_hot(labels, scores.shape[1]).to(scores.dtype)
    return (hinge * wrong).sum(1).mean()


def dice_loss(
    logits: Tensor, target: Tensor, smooth: float = 1.0, over: str = 'batch'
) -> Tensor:
    """One minus the Dice overlap of masks.

    Args:
        logits: (B, ...), B >= 0.
        target: Same shape, 0 or 1.
        smooth: Added to both sides of the ratio; an empty mask predicted empty costs 0.
        over: ``'batch'``: one ratio, of the clips of all processes taken as one set of
            pixels (the released code, which has one process). ``'clip'``: the mean of
            a ratio for each clip.

    Returns:
        Scalar in [0, 1].
    """
    prob = logits.sigmoid()
    if over == 'clip':
        overlap = (prob * target).flatten(1).sum(1)
        total = prob.flatten(1).sum(1) + target.flatten(1).sum(1)
    else:
        sums = torch.stack([(prob * target).sum(), prob.sum() + target.sum()])
        overlap, total = sum_over_ranks(sums)
    loss = 1 - (2 * overlap + smooth) / (total + smooth)
    return loss.sum() / max(loss.numel(), 1)


@MODELS.register_module()
class SpreadLoss(nn.Module):
    """Class loss of the capsule detectors (Hinton et al. 2018, Eq. 3).

    The paper cites VideoCapsuleNet's margin loss, whose margin grows; the released
    code keeps 0.2 and divides by the number of clips a second time. The fixed margin
    is the default because the published numbers were made with it, and one division
    because with two the weight of the class loss depends on the batch size.

    Args:
        margin: m, at the start of training.
        margin_growth: ``dict(by=0.1, every=5, upto=0.9)`` adds ``by`` every so many
            epochs (VideoCapsuleNet's schedule); ``None`` keeps the margin.
        divide_twice: Divide by the number of clips twice, as released.
        loss_weight: Factor.
    """

    def __init__(
        self,
        margin: float = 0.2,
        margin_growth: dict | None = None,
        divide_twice: bool = False,
        loss_weight: float = 1.0,
    ):
        super().__init__()
        self.margin = margin
        self.margin_growth = margin_growth
        self.divide_twice = divide_twice
        self.loss_weight = loss_weight

    def current_margin(self) -> float:
        """The margin of the running epoch."""
        growth = self.margin_growth
        if growth is None:
            return self.margin
        steps = train_progress().epoch // growth['every']
        return min(self.margin + growth['by'] * steps, growth['upto'])

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """See :func:`spread_loss`."""
        loss = spread_loss(scores, labels, self.current_margin())
        if self.divide_twice:
            loss = loss / len(labels)
        return self.loss_weight * loss


@MODELS.register_module()
class MaskLoss(nn.Module):
    """Binary cross entropy plus Dice on mask logits.

    Args:
        bce_weight: Factor of the cross entropy (mean over voxels).
        dice_weight: Factor of :func:`dice_loss`.
        dice_over: ``'batch'`` or ``'clip'``, see :func:`dice_loss`. With ``'clip'`` a
            step whose gradients are accumulated over several batches is that of one
            large batch.

    Raises:
        ValueError: for another ``dice_over``.
    """

    def __init__(
        self,
        bce_weight: float = 1.0,
        dice_weight: float = 1.0,
        dice_over: str = 'batch',
    ):
        super().__init__()
        if dice_over not in ('batch', 'clip'):
            raise ValueError(f"dice_over must be 'batch' or 'clip', got {dice_over!r}")
        self.bce_weight = bce_weight
        self.dice_weight = dice_weight
        self.dice_over = dice_over

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compare (B, T, H, W) logits with a 0/1 target of the same shape, B >= 0."""
        target = target.to(logits.dtype)
        if len(logits):
            bce = F.binary_cross_entropy_with_logits(logits, target)
        else:
            bce = logits.sum()
        dice = dice_loss(logits, target, over=self.dice_over)
        return dict(
            loss_mask_bce=self.bce_weight * bce, loss_mask_dice=self.dice_weight * dice
        )
