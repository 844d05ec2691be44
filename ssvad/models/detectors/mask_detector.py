"""Spatio-temporal detector that predicts one action mask and a class per clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor

from ssvad.geometry import average_crops
from ssvad.ramps import train_progress


def known_labels(
    data_samples: Sequence[ActionDataSample], device: torch.device
) -> Tensor:
    """(B,) int64 classes on a device, -1 where a sample has no ``gt_label``."""
    unknown = torch.tensor([-1], device=device)
    return torch.cat([s.get('gt_label', unknown).to(device) for s in data_samples])


@MODELS.register_module()
class MaskDetector(BaseModel):
    """Backbone with taps, mask head, supervised losses; clip-wise inference.

    Args:
        backbone: Config; returns a tuple of feature maps.
        head: Config; ``forward(features, labels, open_unlabeled)`` gives a
            ``DetOutput``.
        loss_cls: Config of the class loss ``(scores, labels) -> scalar``.
        loss_mask: Config of the mask loss ``(logits, target) -> dict``.
        warmup_epochs: Epochs in which the decoder sees all classes of clips without
            label, because their arg-max is still noise (10 in the reference).
        clips_per_forward: Clips of a video that are inferred at a time.
        data_preprocessor: Config; RGB in [0, 1] is what the reference uses.
        init_cfg: mmengine initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        loss_cls: dict = dict(type='SpreadLoss'),  # noqa: B006 (configs are read only)
        loss_mask: dict = dict(type='MaskLoss'),  # noqa: B006
        warmup_epochs: int = 10,
        clips_per_forward: int = 8,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_mask = MODELS.build(loss_mask)
        self.warmup_epochs = warmup_epochs
        self.clips_per_forward = clips_per_forward

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'tensor',
    ):
        """Run the detector.

        Args:
            inputs: ``tensor``: (B, C, T, H, W) clips. ``loss``: (B, 1, C, T, H, W).
                ``predict``: (B, M, C, T, H, W), the M clips of a video. Float, scaled
                by the data preprocessor.
            data_samples: One per clip (video); a clip without ``gt_label`` counts as
                unlabelled.
            mode: ``'tensor'`` (DetOutput), ``'loss'`` (dict of scalars) or
                ``'predict'`` (data samples with ``pred_*`` fields).

        Raises:
            ValueError: If frames, height or width are no multiples of 8, a clip
                comes in several views in ``loss`` mode, or ``mode`` is unknown.
        """
        if mode == 'tensor':
            return self.detect(inputs, data_samples if self.training else None)
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")

    def detect(
        self,
        clips: Tensor,
        data_samples: Sequence[ActionDataSample] | None = None,
        gate: Tensor | None = None,
    ):
        """Detect in (B, C, T, H, W) clips; see :class:`DetOutput`.

        Args:
            clips: Float.
            data_samples: B samples, for training: the mask decoder sees the class of
                those with ``gt_label``. Without them it sees the best class.
            gate: (B, K) weights of the classes for the mask decoder instead.
        """
        if clips.ndim != 5 or any(size % 8 for size in clips.shape[2:]):
            raise ValueError(
                'MaskDetector takes clips (B, C, T, H, W) whose frames, height and '
                f'width are multiples of 8, got {tuple(clips.shape)}'
            )
        labels = None
        if data_samples is not None:
            labels = known_labels(data_samples, clips.device)
        return self.head(self.backbone(clips), labels, self._warms_up(), gate)

    def class_gate(
        self, scores: Tensor, data_samples: Sequence[ActionDataSample]
    ) -> Tensor:
        """The (B, K) gate that :meth:`detect` uses for clips with these scores."""
        labels = known_labels(data_samples, scores.device)
        return self.head.class_gate(scores, labels, self._warms_up())

    def _warms_up(self) -> bool:
        return train_progress().epoch < self.warmup_epochs

    def loss(self, inputs: Tensor, data_samples: Sequence[ActionDataSample]) -> dict:
        """Supervised losses of labelled clips given in one view."""
        if inputs.shape[1] != 1:
            raise ValueError(
                'MaskDetector alone trains on one view per clip, got '
                f'{inputs.shape[1]}; remove PairedViews from the pipeline or wrap the '
                'detector in SemiDetector'
            )
        return self.loss_by_output(
            self.detect(inputs[:, 0], data_samples), data_samples
        )

    def loss_by_output(self, output, data_samples: Sequence[ActionDataSample]) -> dict:
        """Compare outputs with ``gt_label`` and ``gt_mask`` of the same clips.

        Without any clip the terms are still connected to the network, so a batch
        without labels trains on. They are zero, but for a Dice term that is of all
        processes: then its gradient is.

        Args:
            output: DetOutput of B clips.
            data_samples: B labelled samples.

        Returns:
            ``loss_cls``, ``loss_mask_bce``, ``loss_mask_dice``.
        """
        if not data_samples:
            zero = sum(field.sum() for field in output)
            masks = self.loss_mask(output.mask, output.mask.detach())
            return dict(loss_cls=zero, **masks)
        device = output.mask.device
        labels = torch.cat([s.gt_label for s in data_samples]).to(device)
        target = torch.stack([s.gt_mask for s in data_samples]).to(device)
        return dict(
            loss_cls=self.loss_cls(output.scores, labels),
            **self.loss_mask(output.mask, target),
        )

    def test_step(self, data: dict) -> Sequence[ActionDataSample]:
        """Infer whole videos as a data loader gives them.

        What :meth:`mmengine.model.BaseModel.test_step` does, but clips stay uint8 until
        it is their turn, which saves most of the memory of long videos.
        """
        samples = self.data_preprocessor.cast_data(data['data_samples'])
        return self.predict(data['inputs'], samples, self.data_preprocessor)

    val_step = test_step

    @torch.no_grad()
    def predict(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: Sequence[ActionDataSample],
        preprocessor: BaseDataPreprocessor | None = None,
    ) -> Sequence[ActionDataSample]:
        """Infer whole videos, ``clips_per_forward`` clips at a time.

        Args:
            inputs: (B, M, C, T, H, W). With V crops of each clip (B, V*M, ...), crop
                after crop.
            data_samples: B samples with ``total_frames`` (F), ``frame_inds`` and
                ``frame_valid`` (M*T,) as :class:`SampleWholeVideo` writes them; with
                crops also ``crop_quadruple`` and ``crop_quadruples`` (V, 4), see
                :class:`CoverCrops`: masks are averaged on the frame that the crops
                cover, class scores over the crops.
            preprocessor: Prepares the clips of each forward, if that is not done.

        Returns:
            The samples with ``pred_mask`` (F, H, W) float probability in frame order,
            ``pred_clip_scores`` (M, K), ``pred_score`` (K,), their mean, and
            ``pred_label`` (1,).

        Raises:
            ValueError: If there are not as many frames as ``frame_inds``.
        """
        for clips, sample in zip(inputs, data_samples):
            index = torch.as_tensor(sample.frame_inds)
            valid = torch.as_tensor(sample.frame_valid)
            mask, scores, start = None, [], 0
            for prob, part in self._infer(clips, sample, preprocessor):
                if mask is None:
                    mask = prob.new_zeros((sample.total_frames, *prob.shape[1:]))
                here = slice(start, start + len(prob))
                known = valid[here]
                mask[index[here][known].to(mask.device)] = prob[known.to(mask.device)]
                scores.append(part)
                start = here.stop
            scores = torch.cat(scores)
            sample.set_field(mask, 'pred_mask')
            sample.set_field(scores, 'pred_clip_scores')
            sample.set_pred_score(scores.mean(0))
            sample.set_pred_label(scores.mean(0).argmax().item())
        return data_samples

    def _infer(
        self,
        clips: Tensor,
        sample: ActionDataSample,
        preprocessor: BaseDataPreprocessor | None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Probabilities (n*T, H, W) and scores (n, K) of n clips, and so on."""
        crops = sample.get('crop_quadruples', (None,))
        if len(clips) * clips.shape[2] != len(crops) * len(sample.frame_inds):
            raise ValueError(
                f'{len(clips)} clips of {clips.shape[2]} frames came for '
                f'{len(sample.frame_inds)} frame_inds in {len(crops)} crop(s); '
                "after CoverCrops, 'crop_quadruples' must be among the meta_keys "
                'of PackActionInputs'
            )
        clips = clips.unflatten(0, (len(crops), -1))
        # all crops of a clip in the same turn, so that their mean can be taken
        for turn in clips.split(self.clips_per_forward, dim=1):
            outputs = []
            for part in turn.flatten(0, 1).split(self.clips_per_forward):
                if preprocessor is not None:
                    data = dict(inputs=[part], data_samples=[None])
                    part = preprocessor(data)['inputs'][0]
                outputs.append(self.detect(part))
            prob = torch.cat([out.mask for out in outputs]).sigmoid()
            prob = prob.unflatten(0, (len(crops), -1)).flatten(1, 2)
            if len(crops) > 1:
                prob = average_crops(prob, crops, sample.crop_quadruple)
            else:
                prob = prob[0]
            scores = torch.cat([out.scores for out in outputs])
            yield prob, scores.unflatten(0, (len(crops), -1)).mean(0)
