"""Spatio-temporal consistency between two views (CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mmaction.registry import MODELS
from torch import Tensor, nn

from ssvad.models.losses.attention import read_out
from ssvad.models.losses.class_consistency import class_jsd, class_kl
from ssvad.ramps import sigmoid_ramp

from .method import SemiMethod
from .step import Step

CLASS_FORMS = {'jsd': class_jsd, 'kl': class_kl}


def masked_mean(values: Tensor, valid: Tensor) -> Tensor:
    """Mean of (B, T, H, W) values where (B, 1, H, W) ``valid`` holds; 0 if nowhere."""
    valid = valid.to(values.dtype).expand_as(values)
    return (values * valid).sum() / valid.sum().clamp(min=1)


@MODELS.register_module()
class SemiSupConsistency(SemiMethod):
    """Predictions on a clip and on its mirrored view must agree (paper Sec. 3.2-3.4).

    Labelled and unlabelled clips alike contribute ::

        lambda (lambda_2 L_mask + lambda_1 L_class)
        L_mask = mean over attentions of  w mean(M d^2) + (1 - w) mean(d^2)

    where d is the difference of the two aligned mask predictions, M an attention map
    and w ramps up over training for attentions that are ``ramped`` and is 1 for
    others; without attention L_mask is plain ``mean(d^2)`` (the paper's "LC").

    Where the paper and the released code differ, the arguments offer both; the
    presets in ``configs/reference`` set all of them as released.

    Args:
        attention: Config of an attention (``CyclicVariance``, ``TemporalVariance``,
            ``GradientSmoothness``), a list of them, or ``None``.
        loss_weight: lambda (paper and released code: 0.1).
        mask_weight: lambda_2 (paper: 0.7). The default 1 is what the published
            commands use; 0 leaves the mask term out.
        class_weight: lambda_1 (paper: 0.3). By default 0, the term is left out: the
            released code has none, and the paper relies on the mask term alone after
            its Table 1.
        class_form: ``'jsd'`` (paper Eq. 1) or ``'kl'``, what the authors ran:
            :func:`~ssvad.models.losses.class_consistency.class_kl`. The default is
            the paper's, being bounded.
        on: Compare ``'logits'``, as released and by default, or ``'probabilities'``,
            as the paper writes; the gradient of the latter fades where a network is
            sure, even if it is sure of different things in both views.
        first_epoch: Number of the first epoch in the ramp of w, see
            :func:`ssvad.ramps.sigmoid_ramp`.
        target: Name of a view whose predictions are constant targets for the other.
            By default neither is, as released: the gradient flows through both.
        views: The two views; the first one is also supervised.

    Raises:
        ValueError: If an argument is none of those named.
    """

    def __init__(
        self,
        attention: dict | Sequence[dict] | None = None,
        loss_weight: float = 0.1,
        mask_weight: float = 1.0,
        class_weight: float = 0.0,
        class_form: str = 'jsd',
        on: str = 'logits',
        first_epoch: int = 1,
        target: str | None = None,
        views: Sequence[str] = ('base', 'flip'),
    ):
        super().__init__()
        if class_form not in CLASS_FORMS:
            raise ValueError(
                f'class_form must be one of {sorted(CLASS_FORMS)}, got {class_form!r}'
            )
        if target not in (None, *views):
            raise ValueError(f'target must be one of {views} or None, got {target!r}')
        if attention is None:
            attention = []
        elif isinstance(attention, dict):
            attention = [attention]
        self.attention = nn.ModuleList(MODELS.build(cfg) for cfg in attention)
        self.loss_weight = loss_weight
        self.mask_weight = mask_weight
        self.class_weight = class_weight
        self.class_distance = CLASS_FORMS[class_form]
        self.on = on
        self.first_epoch = first_epoch
        self.target = target
        self.views = tuple(views)
        self.sup_view = self.views[0]

    def mask_distance(
        self,
        first: Tensor,
        second: Tensor,
        valid: Tensor,
        ramp: float,
        maps: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Attended squared distance of two aligned logit volumes.

        Args:
            first: (B, T, H, W).
            second: Same shape.
            valid: (B, 1, H, W) bool.
            ramp: w of ramped attentions, in [0, 1].
            maps: What to attend by, (B, T, H, W) for each attention; ``None``: to
                these two.

        Returns:
            Scalar.
        """
        squared = (read_out(second, self.on) - read_out(first, self.on)).square()
        plain = masked_mean(squared, valid)
        if not len(self.attention):
            return plain
        if maps is None:
            maps = self.attend(first, second)
        terms = []
        for attention, weights in zip(self.attention, maps):
            attended = masked_mean(weights * squared, valid)
            share = ramp if attention.ramped else 1.0
            terms.append(share * attended + (1 - share) * plain)
        return sum(terms) / len(terms)

    def attend(self, first: Tensor, second: Tensor) -> list[Tensor]:
        """The map of each attention, of two (B, T, H, W) logit volumes."""
        return [attention(first, second) for attention in self.attention]

    def forward(self, step: Step) -> dict[str, Tensor]:
        """Consistency terms of a mixed batch, weighted."""
        losses = {}
        if self.mask_weight:
            (first, valid), (second, other) = self._aligned(step, 'mask')
            ramp = sigmoid_ramp(step.progress, self.first_epoch)
            distance = partial(
                self.mask_distance,
                valid=valid & other,
                ramp=ramp,
                maps=self.attend(first, second),
            )
            weight = self.loss_weight * self.mask_weight
            losses['loss_cons_mask'] = step.compare(
                'loss_cons_mask', distance, first, second, weight
            )
        if self.class_weight:
            (first, _), (second, _) = self._aligned(step, 'capsules')
            weight = self.loss_weight * self.class_weight
            losses['loss_cons_cls'] = step.compare(
                'loss_cons_cls', self.class_distance, first, second, weight
            )
        return losses

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Mask probabilities of both views and the attention maps, aligned."""
        masks = super().maps(step)
        (first, _), (second, _) = self._aligned(step, 'mask')
        attention = {type(a).__name__: a(first, second) for a in self.attention}
        for name, weights in attention.items():
            masks[name] = weights / weights.amax().clamp(min=1)
        return masks

    def _aligned(self, step: Step, field: str) -> list[tuple[Tensor, Tensor]]:
        pairs = []
        for view in self.views:
            maps = getattr(step.student(view), field)
            maps = maps.detach() if view == self.target else maps
            pairs.append(step.align(maps, view))
        return pairs
