"""What every semi-supervised method has."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from .step import Step


class SemiMethod(nn.Module, ABC):
    """Base of the methods of :class:`SemiDetector`; a method defines ``forward``.

    Attributes:
        views: Names of the views it needs from ``PairedViews``.
        sup_view: The view on which labelled clips are supervised; ``None`` if the
            method does that itself.
        needs_teacher: Whether it calls ``step.teacher``.
        taps: Layers of the detector whose outputs it reads by ``step.tapped``.
        supervised_terms: Names of those of its terms that compare with ground truth;
            the log adds them to the detector's.
    """

    views: tuple[str, ...] = ('base',)
    sup_view: str | None = 'base'
    needs_teacher = False
    taps: tuple[str, ...] = ()
    supervised_terms: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, step: Step) -> dict[str, Tensor]:
        """Terms of a mixed batch.

        Returns:
            Scalars named ``loss_*``, already weighted, each with a path to the
            student; whatever else should be logged has no "loss" in its name.
        """

    def averaged_modules(self) -> dict[str, nn.Module]:
        """Modules of the method that the teacher averages beside the detector."""
        return {}

    def maps(self, step: Step) -> dict[str, Tensor]:
        """What to draw: (B, T, H, W) maps in [0, 1] by name, in the shared frame."""
        masks = {name: step.align(step.student(name).mask, name) for name in self.views}
        return {
            f'mask of view {name} (aligned)': logits.sigmoid()
            for name, (logits, _) in masks.items()
        }
