"""Wraps any mask detector with a semi-supervised method."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor

from .step import Step


@MODELS.register_module()
class SemiDetector(BaseModel):
    """Supervised losses of labelled clips plus the terms of one method.

    A batch is flat: labelled and unlabelled clips side by side, told apart by
    ``gt_label``. Inference is the detector's own, so the wrapped and the plain
    detector evaluate alike; its weights have the prefix ``detector.``.

    A method is a module with

    * ``views``: names of the views it needs from ``PairedViews``,
    * ``sup_view``: the view on which labelled clips are supervised,
    * ``forward(step) -> dict``: scalars named ``loss_*``, already weighted, each with
      a path to the student; whatever else should be logged has no "loss" in its name,
    * ``maps(step) -> dict``: what :meth:`method_maps` returns.

    Args:
        detector: Config of the student, e.g. ``MaskDetector``.
        method: Config of the method, e.g. ``SemiSupConsistency``.
        joint_views: Send all views of a batch through the student at once. Batch norm
            then normalises over all views together and updates its running statistics
            once a step; the released code, and hence the default, takes one view after
            the other, with statistics of its own. Larger batches can keep a GPU
            busier; the arithmetic is the same.
        data_preprocessor: Config; RGB in [0, 1] is what the reference uses.
        init_cfg: mmengine initialisation.
    """

    def __init__(
        self,
        detector: dict,
        method: dict,
        joint_views: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        self.method = MODELS.build(method)
        self.joint_views = joint_views

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """As :meth:`MaskDetector.forward`, but ``loss`` takes (B, V, C, T, H, W)."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.detector(inputs, data_samples, mode)

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> dict:
        """All loss terms of a mixed batch.

        Raises:
            KeyError: If the method needs a view that the pipeline does not make.
        """
        step = self._step(inputs, data_samples)
        losses = step.supervised_losses(self.method.sup_view)
        losses.update(self.method(step))
        return losses

    def method_maps(
        self, inputs: Tensor, data_samples: Sequence[ActionDataSample]
    ) -> dict[str, Tensor]:
        """What the method compares and attends to, for pictures.

        Returns:
            (B, T, H, W) maps in [0, 1] by name, in the frame of the first view.
        """
        return self.method.maps(self._step(inputs, data_samples))

    def _step(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> Step:
        joint = self.method.views if self.joint_views else ()
        return Step(self.detector, inputs, data_samples, joint)
