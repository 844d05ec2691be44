"""Spatio-temporal consistency between two views (CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor, nn

from ssvad.models.losses.attention import class_jsd
from ssvad.ramps import sigmoid_ramp

from .step import Step


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of (B, T, H, W) values where (B, 1, H, W) ``valid`` holds; 0 if nowhere."""
    valid = valid.to(values.dtype).expand_as(values)
    return (values * valid).sum() / valid.sum().clamp(min=1)


@MODELS.register_module()
class SemiSupConsistency(nn.Module):
    """Predictions on a clip and on its mirrored view must agree (paper Sec. 3.2-3.3).

    The squared distance between the mask logits of the two views, over labelled and
    unlabelled clips alike, is weighted by attention maps M::

        L = mean over attentions of  w mean(M d^2) + (1 - w) mean(d^2)

    where w ramps up over training for attentions that are ``ramped`` and is 1 for
    others, and plain ``mean(d^2)`` without attention (the paper's "L2"). The gradient
    flows through both views. The paper has one variance mask (Eq. 3); the released
    code adds two equal ones.

    Args:
        attention: Config of an attention (``CyclicVariance``, ``GradientSmoothness``),
            a list of them, or ``None`` for plain L2.
        loss_weight: Weight of the mask term (lambda; paper: 0.1).
        class_weight: Weight of the Jensen-Shannon divergence between the class
            capsules of both views (paper Sec. 3.2); 0 leaves it out, as the released
            code does.
        views: The two views; the first one is also supervised.
    """

    def __init__(
        self,
        attention: dict | Sequence[dict] | None = None,
        loss_weight: float = 0.1,
        class_weight: float = 0.0,
        views: Sequence[str] = ('base', 'flip'),
    ):
        super().__init__()
        if attention is None:
            attention = []
        elif isinstance(attention, dict):
            attention = [attention]
        self.attention = nn.ModuleList(MODELS.build(cfg) for cfg in attention)
        self.loss_weight = loss_weight
        self.class_weight = class_weight
        self.views = tuple(views)
        self.sup_view = self.views[0]

    def mask_distance(
        self, first: Tensor, second: Tensor, valid: Tensor, ramp: float
    ) -> Tensor:
        """Attended squared distance of two aligned logit volumes.

        Args:
            first: (B, T, H, W).
            second: Same shape.
            valid: (B, 1, H, W) bool.
            ramp: w of ramped attentions, in [0, 1].

        Returns:
            Scalar.
        """
        squared = (second - first).square()
        plain = masked_mean(squared, valid)
        if not len(self.attention):
            return plain
        terms = []
        for attention in self.attention:
            attended = masked_mean(attention(first, second) * squared, valid)
            share = ramp if attention.ramped else 1.0
            terms.append(share * attended + (1 - share) * plain)
        return sum(terms) / len(terms)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """Consistency terms of a mixed batch, weighted."""
        (first, valid), (second, other) = self._aligned(step, 'mask')
        distance = self.mask_distance(
            first, second, valid & other, sigmoid_ramp(step.progress)
        )
        losses = dict(loss_cons_mask=self.loss_weight * distance)
        if self.class_weight:
            (first, _), (second, _) = self._aligned(step, 'capsules')
            losses['loss_cons_cls'] = self.class_weight * class_jsd(first, second)
        return losses

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Mask probabilities of both views and the attention maps, aligned."""
        (first, _), (second, _) = self._aligned(step, 'mask')
        masks = {
            f'mask of view {name} (aligned)': mask.sigmoid()
            for name, mask in zip(self.views, (first, second))
        }
        attention = {type(a).__name__: a(first, second) for a in self.attention}
        return {**masks, **attention}

    def _aligned(self, step: Step, field: str) -> list[tuple[Tensor, Tensor]]:
        return [
            step.align(getattr(step.student(view), field), view) for view in self.views
        ]
