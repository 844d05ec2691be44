"""CSD (Jeong et al., NeurIPS 2019) for capsule detectors."""

from __future__ import annotations

from mmaction.registry import MODELS
from torch import Tensor

from ssvad.models.losses.class_consistency import class_distribution, mutual_kl
from ssvad.ramps import csd_ramp

from .consistency import masked_mean
from .method import SemiMethod
from .step import Step


@MODELS.register_module()
class CSD(SemiMethod):
    """A clip and its mirror image must agree, in masks where there is foreground.

    * classes: symmetric KL divergence of the class capsules at each position;
    * masks: squared difference of logits where the first view sees foreground.

    The weight rises, stays and falls (:func:`ssvad.ramps.csd_ramp`). The paper's
    "Co-SSD (CC)" is most likely the class term alone, which is the default.

    Args:
        loss_weight: 1 in CSD's own code.
        class_weight: Factor of the class term.
        mask_weight: Factor of the mask term; 0 leaves it out.
    """

    views = ('base', 'flip')

    def __init__(
        self,
        loss_weight: float = 1.0,
        class_weight: float = 1.0,
        mask_weight: float = 0.0,
    ):
        super().__init__()
        self.loss_weight = loss_weight
        self.class_weight = class_weight
        self.mask_weight = mask_weight

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`."""
        weight = self.loss_weight * csd_ramp(step.progress.done)
        losses = {}
        if self.class_weight:
            p, q = (class_distribution(x) for x, _ in aligned(step, 'capsules'))
            losses['loss_cons_cls'] = step.compare(
                'loss_cons_cls',
                lambda p, q: mutual_kl(p, q).mean(),
                p,
                q,
                weight * self.class_weight,
            )
        if self.mask_weight:
            (base, seen), (flip, also) = aligned(step, 'mask')
            foreground = (base > 0) & seen & also
            losses['loss_cons_mask'] = step.compare(
                'loss_cons_mask',
                lambda base, flip: masked_mean((flip - base).square(), foreground),
                base,
                flip,
                weight * self.mask_weight,
            )
        return losses


def aligned(step: Step, field: str) -> list[tuple[Tensor, Tensor]]:
    """A field of the student's outputs on both views, in the shared frame."""
    return [step.align(getattr(step.student(view), field), view) for view in CSD.views]
