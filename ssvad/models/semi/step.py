"""One training iteration as a semi-supervised method sees it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from ssvad.geometry import to_original
from ssvad.ramps import Progress, train_progress


class Step:
    """A mixed batch, its views, and the student's outputs on demand.

    It spares every method the same plumbing: which clips are labelled, one forward
    per view however often it is asked for, and bringing maps of different views into
    one frame. It never looks inside the outputs and is made anew each iteration.

    Args:
        student: Detector with ``detect(clips, data_samples)``.
        inputs: (B, V, C, T, H, W) float.
        data_samples: B samples; ``views`` in their metainfo names axis V. A sample is
            unlabelled iff it has no ``gt_label``.
        joint_views: Views that go through the student in one batch.

    Attributes:
        labeled: (B,) bool.
        samples: The data samples.
        progress: Position in training.
    """

    def __init__(
        self,
        student: BaseModel,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample],
        joint_views: Sequence[str] = (),
    ):
        self.samples = data_samples
        self.labeled = torch.tensor(
            ['gt_label' in sample for sample in data_samples], device=inputs.device
        )
        self.progress: Progress = train_progress()
        self._student = student
        self._inputs = inputs
        self._joint_views = tuple(joint_views)
        self._outputs = {}

    @property
    def views(self) -> list[str]:
        """Names of the views in the order of axis V."""
        return list(self.samples[0].metainfo.get('views', ()))

    def clips(self, view: str) -> Tensor:
        """The (B, C, T, H, W) clips of one view.

        Raises:
            KeyError: If the pipeline makes no such view.
        """
        if view not in self.views:
            raise KeyError(
                f'method asks for view {view!r}, the pipeline makes {self.views}'
            )
        return self._inputs[:, self.views.index(view)]

    def student(self, view: str):
        """The student's output on a view, with gradient; computed once."""
        if view not in self._outputs:
            group = self._joint_views if view in self._joint_views else (view,)
            clips = torch.cat([self.clips(name) for name in group])
            output = self._student.detect(clips, [*self.samples] * len(group))
            for i, name in enumerate(group):
                rows = slice(i * len(self.samples), (i + 1) * len(self.samples))
                self._outputs[name] = output.rows(rows)
        return self._outputs[view]

    def align(self, maps: Tensor, view: str) -> tuple[Tensor, Tensor]:
        """Bring maps predicted on a view into the frame that all views share.

        Args:
            maps: (B, ..., H, W) in the geometry of ``view``.
            view: Name.

        Returns:
            Maps of the same shape, and a (B, 1, H, W) bool that is false where the
            view did not look.
        """
        geometry = [sample.metainfo['views'][view] for sample in self.samples]
        aligned, valid = to_original(maps.flatten(1, -3), geometry)
        return aligned.view_as(maps), valid

    def supervised_losses(self, view: str) -> dict[str, Tensor]:
        """Supervised losses of the labelled clips, seen in ``view``.

        Ground truth is stored in the frame that all views share, so it is the
        prediction that is aligned.
        """
        output = self.student(view)
        mask, _ = self.align(output.mask, view)
        output = output._replace(mask=mask).rows(self.labeled)
        samples = [s for s, known in zip(self.samples, self.labeled.tolist()) if known]
        return self._student.loss_by_output(output, samples)
