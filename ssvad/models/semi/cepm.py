"""CEPM: entropy-guided progressive masking, class-aware features (Li et al. 2026)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.models.losses.class_consistency import jensen_shannon
from ssvad.ramps import Progress

from .consistency import masked_mean
from .mean_teacher import MeanTeacher
from .step import Step

PRIMARY = 'head.primary'


def binary_entropy(logits: Tensor) -> Tensor:
    """Entropy of ``sigmoid(logits)`` in nats, in [0, ln 2]; any shape."""
    return F.binary_cross_entropy_with_logits(
        logits, logits.sigmoid(), reduction='none'
    )


def entropy_threshold(progress: Progress, bounds: Sequence[float]) -> float:
    """From the first bound to the second in the course of epochs, numbered from 1."""
    lowest, highest = bounds
    return lowest + (highest - lowest) * (progress.epoch + 1) / progress.max_epochs


def capsule_maps(poses: Tensor, activation: Tensor, clips: int) -> Tensor:
    """Primary capsules as one row a position.

    Args:
        poses: (B*t, I*P, h, w).
        activation: (B*t, I, h, w).
        clips: B.

    Returns:
        (B, t*h*w, I*P + I), poses first.
    """
    both = torch.cat([poses, activation], 1).unflatten(0, (clips, -1))
    return both.movedim(2, -1).flatten(1, 3)


def primary_capsules(maps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of :func:`capsule_maps`; ``like`` are any activations."""
    both = maps.unflatten(1, (-1, *like.shape[-2:])).movedim(-1, 2).flatten(0, 1)
    return both[:, : -like.shape[1]], both[:, -like.shape[1] :]


@MODELS.register_module()
class CEPM(MeanTeacher):
    """Mean Teacher on voxels of which the teacher is sure, and richer class features.

    ``lambda (L_mask + L_class) + beta L_enhanced``; the first two of unlabelled clips

    * L_mask: binary cross entropy with the teacher's mask (0 or 1) where the entropy of
      its probability is below a threshold that grows with the epochs;
    * L_class: Jensen-Shannon divergence between the softmax of both class scores;
    * L_enhanced: from some epoch on, a second class loss of labelled clips, whose
      primary capsules are first fused with the teacher's of unlabelled clips that it
      takes for the same class (:class:`ClassFeatureEnhancement`).

    Inference is not touched. Two things differ from the release: fused activations are
    cut to [0, 1], which the routing takes, and the queues are saved and shared by all
    processes.

    Args:
        loss_weight: lambda (released: 0.3).
        mask_weight: Factor of L_mask; 0 leaves it out.
        class_weight: Factor of L_class; 0 leaves it out.
        entropy: Threshold at the start and in the last epoch, in nats; ln 2 = 0.69
            keeps everything.
        enhancement: Config of :class:`ClassFeatureEnhancement`; ``None`` leaves
            L_enhanced out.
        enhancement_weight: beta (released: 2).
        enhancement_from: First epoch of L_enhanced, counted from 1 (released: 11).
            Until then the queues fill.
    """

    supervised_terms = ('loss_enhanced_cls',)

    def __init__(
        self,
        loss_weight: float = 0.3,
        mask_weight: float = 1.0,
        class_weight: float = 1.0,
        entropy: Sequence[float] = (0.1, 0.5),
        enhancement: dict | None = None,
        enhancement_weight: float = 2.0,
        enhancement_from: int = 11,
    ):
        super().__init__(loss_weight)
        self.mask_weight = mask_weight
        self.class_weight = class_weight
        self.entropy = tuple(entropy)
        self.enhancement = None if enhancement is None else MODELS.build(enhancement)
        self.enhancement_weight = enhancement_weight
        self.enhancement_from = enhancement_from
        self.taps = () if enhancement is None else (PRIMARY,)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`; logs which share of voxels was taken."""
        losses = {}
        student, teacher = step.student('strong'), step.teacher('weak')
        unlabeled = ~step.labeled[:, None, None, None]
        if self.mask_weight:
            taken = self.certain(step) & unlabeled
            target = (teacher.mask > 0).to(student.mask)
            distance = F.binary_cross_entropy_with_logits(
                student.mask, target, reduction='none'
            )
            weight = self.loss_weight * self.mask_weight
            losses['loss_cons_mask'] = weight * masked_mean(distance, taken)
            known = unlabeled.expand_as(taken)
            losses['taken_voxels'] = masked_mean(taken.to(target), known)
        if self.class_weight:
            divergence = jensen_shannon(
                student.scores.softmax(1), teacher.scores.softmax(1)
            )
            weight = self.loss_weight * self.class_weight
            distance = masked_mean(divergence, ~step.labeled)
            losses['loss_cons_cls'] = weight * distance
        if self.enhancement is not None:
            losses['loss_enhanced_cls'] = self.enhancement_weight * self.enhanced(step)
            self.remember(step)
        return losses

    def certain(self, step: Step) -> Tensor:
        """(B, T, H, W) bool, where the entropy of the teacher's mask is low."""
        threshold = entropy_threshold(step.progress, self.entropy)
        return binary_entropy(step.teacher('weak').mask) < threshold

    def enhanced(self, step: Step) -> Tensor:
        """L_enhanced; until its time, or without labelled clips, 0."""
        # all parameters take part in each step, as distributed training wants it
        nothing = sum(p.sum() for p in self.enhancement.parameters()) * 0
        early = step.progress.epoch + 1 < self.enhancement_from
        if early or not step.labeled.any():
            return nothing
        poses, activation = step.tapped('student', 'strong', PRIMARY)
        maps = capsule_maps(poses, activation, len(step.labeled))
        labels = torch.cat([s.gt_label for s in step.labeled_samples()])
        fused = self.enhancement(maps[step.labeled], labels)
        poses, activation = primary_capsules(fused, activation)
        head = step.detector.head
        scores = head.class_scores(poses, activation.clamp(0, 1), len(labels))
        labels = labels.to(scores.device)
        return step.detector.loss_cls(scores, labels) + nothing

    def remember(self, step: Step) -> None:
        """Queue the teacher's capsules of unlabelled clips by the class it predicts."""
        capsules = step.tapped('teacher', 'weak', PRIMARY)
        maps = capsule_maps(*capsules, len(step.labeled))
        classes = step.teacher('weak').scores.argmax(1)
        classes = classes.masked_fill(step.labeled, -1)
        self.enhancement.queues.put(maps, classes)

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Mask probabilities of both networks and where the teacher is sure."""
        sure = self.certain(step).to(step.teacher('weak').mask)
        return dict(super().maps(step), **{'teacher is sure': sure})
