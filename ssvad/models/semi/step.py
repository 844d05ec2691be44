"""One training iteration as a semi-supervised method sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from ssvad.geometry import to_original
from ssvad.ramps import Progress, train_progress

from .teacher import Teacher


@contextmanager
def recording(network: nn.Module, layers: Sequence[str]) -> Iterator[dict]:
    """Keep what layers of a network put out: a dict of tuples, filled meanwhile."""
    record = {}

    def keep(layer: str):
        def hook(module, args, output):
            record[layer] = output if isinstance(output, tuple) else (output,)

        return network.get_submodule(layer).register_forward_hook(hook)

    hooks = [keep(layer) for layer in layers]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()


class Step:
    """A mixed batch, its views, and the student's outputs on demand.

    It spares every method the same plumbing: which clips are labelled, one forward
    per view and network however often it is asked for, and bringing maps of different
    views into one frame. It never looks inside the outputs and is made anew each
    iteration.

    Args:
        student: Detector with ``detect(clips, data_samples)``.
        inputs: (B, V, C, T, H, W) float.
        data_samples: B samples; ``views`` in their metainfo names axis V. A sample is
            unlabelled iff it has no ``gt_label``.
        joint_views: Views that go through the student in one batch.
        teacher: Averaged modules, among them ``'detector'``, if there is a teacher.
        taps: Layers of the detector whose outputs are kept, see :meth:`tapped`.

    Attributes:
        detector: The student, for methods that use a part of it on its own.
        labeled: (B,) bool.
        samples: The data samples.
        progress: Position in training.
        labeled_shares: By loss term what labelled clips add to it, see
            :meth:`compare`.
    """

    def __init__(
        self,
        student: BaseModel,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample],
        joint_views: Sequence[str] = (),
        teacher: Teacher | None = None,
        taps: Sequence[str] = (),
    ):
        self.samples = data_samples
        self.labeled = torch.tensor(
            ['gt_label' in sample for sample in data_samples], device=inputs.device
        )
        self.progress: Progress = train_progress()
        self.detector = student
        self.labeled_shares: dict[str, Tensor] = {}
        self._inputs = inputs
        self._joint_views = tuple(joint_views)
        self._teacher = teacher
        self._outputs = {}
        self._teacher_outputs = {}
        self._taps = taps
        self._tapped = {}

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
            with recording(self.detector, self._taps) as record:
                output = self.detector.detect(clips, [*self.samples] * len(group))
            for i, name in enumerate(group):
                rows = slice(i * len(self.samples), (i + 1) * len(self.samples))
                self._outputs[name] = output.rows(rows)
                for layer, parts in record.items():
                    own = tuple(part.chunk(len(group))[i] for part in parts)
                    self._tapped['student', name, layer] = own
        return self._outputs[view]

    def student_on(self, clips: Tensor, gate: Tensor):
        """The student's output on other clips, with gradient.

        Args:
            clips: (N, C, T, H, W), e.g. mixtures of clips of the batch.
            gate: (N, K) weights in [0, 1] of the class capsules for the mask decoder.
        """
        return self.detector.detect(clips, gate=gate)

    def class_gate(self, view: str) -> Tensor:
        """(B, K) weights of the class capsules with which a view was decoded."""
        return self.detector.class_gate(self.student(view).scores, self.samples)

    def loss_against(self, output, labels: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """The detector's supervised losses with labels that a method made up.

        Args:
            output: Of N clips.
            labels: (N,) int64.
            masks: (N, T, H, W) of zeros and ones.
        """
        samples = [ActionDataSample() for _ in labels]
        for sample, label, mask in zip(samples, labels.tolist(), masks):
            sample.set_gt_label(label)
            sample.set_field(mask, 'gt_mask')
        return self.detector.loss_by_output(output, samples)

    def teacher(self, view: str):
        """The teacher's output on a view, without gradient; computed once."""
        if view not in self._teacher_outputs:
            network = self.averaged('detector')
            with torch.no_grad(), recording(network, self._taps) as record:
                output = network.detect(self.clips(view), self.samples)
            self._teacher_outputs[view] = output
            for layer, parts in record.items():
                self._tapped['teacher', view, layer] = parts
        return self._teacher_outputs[view]

    def tapped(self, network: str, view: str, layer: str) -> tuple[Tensor, ...]:
        """What a layer put out when a network saw a view.

        Args:
            network: ``'student'`` or ``'teacher'``.
            view: Name.
            layer: One of ``SemiMethod.taps``.
        """
        getattr(self, network)(view)
        return self._tapped[network, view, layer]

    def averaged(self, name: str) -> nn.Module:
        """The teacher's copy of a module, see ``SemiMethod.averaged_modules``."""
        return self._teacher[name]

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

    def compare(
        self,
        term: str,
        measure: Callable[[Tensor, Tensor], Tensor],
        first: Tensor,
        second: Tensor,
        weight: float,
    ) -> Tensor:
        """``weight * measure(first, second)``; notes what labelled clips add to it.

        That is what remains if the two agree on all other clips, which costs the
        measure once more, without gradient.

        Args:
            term: Name of the loss term, the key in ``labeled_shares``.
            measure: Sums over clips and divides by what does not depend on ``second``;
                0 between equals.
            first: (B, ...).
            second: Same shape.
            weight: Factor.

        Returns:
            Scalar.
        """
        known = self.labeled.view(-1, *[1] * (first.ndim - 1))
        with torch.no_grad():
            share = measure(first, torch.where(known, second, first))
            self.labeled_shares[term] = weight * share
        return weight * measure(first, second)

    def labeled_samples(self) -> list[ActionDataSample]:
        """Data samples of the labelled clips, in their order."""
        known = self.labeled.tolist()
        return [sample for sample, yes in zip(self.samples, known) if yes]

    def labeled_masks(self) -> Tensor:
        """(L, T, H, W) uint8 ground truth of the L labelled clips; L > 0."""
        masks = torch.stack([sample.gt_mask for sample in self.labeled_samples()])
        return masks.to(self._inputs.device)

    def supervised_losses(self, view: str) -> dict[str, Tensor]:
        """Supervised losses of the labelled clips, seen in ``view``.

        Ground truth is stored in the frame that all views share, so it is the
        prediction that is aligned.
        """
        output = self.student(view)
        mask, _ = self.align(output.mask, view)
        output = output._replace(mask=mask).rows(self.labeled)
        return self.detector.loss_by_output(output, self.labeled_samples())
