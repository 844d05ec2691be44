"""Wraps any mask detector with a semi-supervised method."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from .step import Step
from .teacher import Teacher


@MODELS.register_module()
class SemiDetector(BaseModel):
    """Supervised losses of labelled clips plus the terms of one method.

    A batch is flat: labelled and unlabelled clips side by side, told apart by
    ``gt_label``. Inference is the detector's own, so the wrapped and the plain
    detector evaluate alike; its weights have the prefix ``detector.``.

    What a method is says :class:`SemiMethod`. Some need a teacher, the moving average
    of the student: ``teacher.detector.`` in the weights, moved after each step of the
    optimiser by ``TeacherUpdateHook``.

    Args:
        detector: Config of the student: ``MaskDetector``, or a model with its
            ``detect``, ``loss_by_output`` and ``predict`` (and ``class_gate`` for
            methods that mix clips).
        method: Config of the method, e.g. ``SemiSupConsistency``.
        teacher: Arguments of :class:`Teacher`, e.g. ``dict(decay=0.99)``; ``None`` for
            methods without one.
        eval_net: Which network infers, ``'student'``, as published, or ``'teacher'``.
            ``TeacherStudentValLoop`` evaluates both.
        joint_views: Send all views of a batch through the student at once. Batch norm
            then normalises over all views together and updates its running statistics
            once a step; the released code, and hence the default, takes one view after
            the other, with statistics of its own. Larger batches can keep a GPU
            busier; the arithmetic is the same.
        data_preprocessor: Config; RGB in [0, 1] is what the reference uses.
        init_cfg: mmengine initialisation.

    Raises:
        ValueError: If the method needs a teacher and there is none, or ``eval_net`` is
            no network of this model.
    """

    def __init__(
        self,
        detector: dict,
        method: dict,
        teacher: dict | None = None,
        eval_net: str = 'student',
        joint_views: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        self.method = MODELS.build(method)
        if self.method.needs_teacher and teacher is None:
            raise ValueError(
                f'{type(self.method).__name__} needs SemiDetector(teacher=dict(...)), '
                'e.g. teacher=dict(decay=0.99)'
            )
        self.teacher = None
        if teacher is not None:
            self.teacher = Teacher(self._averaged_modules(), **teacher)
        self.joint_views = joint_views
        self.eval_net = eval_net

    @property
    def eval_net(self) -> str:
        """Which network infers."""
        return self._eval_net

    @eval_net.setter
    def eval_net(self, name: str) -> None:
        known = ['student'] if self.teacher is None else ['student', 'teacher']
        if name not in known:
            raise ValueError(f'eval_net must be one of {known}, got {name!r}')
        self._eval_net = name

    @property
    def network(self) -> nn.Module:
        """The detector that infers."""
        if self.eval_net == 'teacher':
            return self.teacher['detector']
        return self.detector

    def update_teacher(self) -> None:
        """Move the teacher; the first call makes it equal to the student."""
        self.teacher.follow(self._averaged_modules())

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """As :meth:`MaskDetector.forward`, but ``loss`` takes (B, V, C, T, H, W)."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.network(inputs, data_samples, mode)

    def test_step(self, data: dict) -> Sequence[ActionDataSample]:
        """Infer whole videos; they are prepared chunk by chunk, as by the detector."""
        samples = self.data_preprocessor.cast_data(data['data_samples'])
        return self.network.predict(data['inputs'], samples, self.data_preprocessor)

    val_step = test_step

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> dict:
        """All loss terms of a mixed batch.

        Raises:
            KeyError: If the method needs a view that the pipeline does not make.
            RuntimeError: If nothing has ever updated the teacher.
        """
        if self.teacher is not None and self.teacher.updates == 0:
            raise RuntimeError(
                'the teacher has never been made equal to the student: add '
                "dict(type='TeacherUpdateHook') to custom_hooks (or call "
                'update_teacher() before training and after each step)'
            )
        step = self._step(inputs, data_samples)
        losses = {}
        if self.method.sup_view is not None:
            losses.update(step.supervised_losses(self.method.sup_view))
        self.supervised_terms = {*losses, *self.method.supervised_terms}
        losses.update(self.method(step))
        self.labeled_shares = step.labeled_shares
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
        return Step(
            self.detector, inputs, data_samples, joint, self.teacher, self.method.taps
        )

    def _averaged_modules(self) -> dict[str, nn.Module]:
        return {'detector': self.detector, **self.method.averaged_modules()}
