"""Capsule head: class capsules by EM routing, gated mask decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ssvad.models.thin_conv import conv3d_of_3

from .capsule_layers import ConvCapsules, PrimaryCapsules
from .decoder_tail import smooth_upsampled


class DetOutput(NamedTuple):
    """What a mask detector says about B clips.

    mask: (B, T, H, W) float logits; > 0 means action.
    scores: (B, K) class activations in [0, 1], each on its own (no distribution).
    capsules: (B, K, t, h, w) the activations per grid position; ``scores`` is their
        mean over t, h, w.
    """

    mask: Tensor
    scores: Tensor
    capsules: Tensor

    def rows(self, keep: Tensor | slice) -> DetOutput:
        """Keep the clips where the (B,) bool ``keep`` is true, or those of a slice."""
        return DetOutput(*(field[keep] for field in self))


def class_gate(scores: Tensor, labels: Tensor | None, open_unlabeled: bool) -> Tensor:
    """Choose the class capsules that the mask decoder sees.

    Args:
        scores: (B, K) class activations; no gradient flows through the choice.
        labels: (B,) int64, true class or -1 for clips without label; ``None`` at
            inference.
        open_unlabeled: Let all classes through for clips without label (warm-up).

    Returns:
        (B, K) gate of zeros and ones: the true class of labelled clips, for others
        all classes during warm-up and the class with the highest score after it
        (and at inference).
    """
    best = F.one_hot(scores.argmax(-1), scores.shape[1]).to(scores.dtype)
    if labels is None:
        return best
    labeled = (labels >= 0)[:, None]
    truth = F.one_hot(labels.clamp(min=0), scores.shape[1]).to(scores.dtype)
    unlabeled = torch.ones_like(best) if open_unlabeled else best
    return torch.where(labeled, truth, unlabeled)


@MODELS.register_module()
class CapsuleRoutingHead(BaseModule):
    """VideoCapsuleNet's detection head on three taps of a 3-D backbone.

    The deepest map (stride 8 in time and space) becomes primary capsules, routed at
    each grid position to one capsule per class. The poses of the gated classes are
    decoded to a mask at input size with skip connections from the shallower taps
    (paper Sec. 3.1; Duarte et al. 2018). All layers work for any number of frames and
    any size that are multiples of 8; the reference has 8 x 224 x 224.

    Args:
        num_classes: K.
        in_channels: Channels of the taps, shallow (stride 2) to deep (stride 8).
        num_capsules: Primary capsule types.
        pose_size: p; poses are p x p matrices.
        kernel_size: Of the primary capsules and the layer that undoes them; the
            deepest map must be at least this large.
        decoder_channels: Width of the mask decoder.
        routing_iterations: Iterations of the routing.
        routing: ``'em'``, EM routing as in VideoCapsuleNet and the released code, or
            ``'dynamic'``, routing by agreement, which the paper's "2D routing" cites.
            The default is what the published numbers were made with.
        implementation: ``'fast'`` computes routing and the end of the decoder by exact
            rearrangements (``fast_routing``, ``decoder_tail``), ``'plain'`` layer by
            layer as published; the same function and the same checkpoints.
        dropout: Probability of dropping a channel of the deepest map, and of the last
            decoder map.
        init_cfg: mmengine initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: Sequence[int] = (64, 192, 832),
        num_capsules: int = 32,
        pose_size: int = 4,
        kernel_size: int = 9,
        decoder_channels: int = 64,
        routing_iterations: int = 3,
        routing: str = 'em',
        implementation: str = 'fast',
        dropout: float = 0.5,
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        shallow, middle, deep = in_channels
        width = decoder_channels
        self.num_classes = num_classes
        self.kernel_size = kernel_size
        self.implementation = implementation
        self.dropout = nn.Dropout3d(dropout)
        self.primary = PrimaryCapsules(
            deep, num_capsules, pose_size, kernel_size, implementation
        )
        self.routing = ConvCapsules(
            num_capsules,
            num_classes,
            pose_size,
            routing_iterations,
            routing=routing,
            implementation=implementation,
        )

        double = dict(kernel_size=3, stride=2, padding=1, output_padding=1)
        self.upsample1 = nn.ConvTranspose2d(
            num_classes * pose_size**2, width, kernel_size
        )
        self.upsample2 = nn.ConvTranspose3d(2 * width, width, **double)
        self.upsample3 = nn.ConvTranspose3d(2 * width, width, **double)
        self.upsample4 = nn.ConvTranspose3d(2 * width, 2 * width, **double)
        self.smooth = nn.ConvTranspose3d(2 * width, 1, 3, padding=1)
        self.lateral1 = nn.Conv2d(deep, width, 3, padding=1)
        self.lateral2 = nn.Conv3d(middle, width, 3, padding=1)
        self.lateral3 = nn.Conv3d(shallow, width, 3, padding=1)
        for layer in (
            self.upsample1,
            self.upsample2,
            self.upsample3,
            self.upsample4,
            self.smooth,
        ):
            nn.init.normal_(layer.weight, std=0.02)

    def forward(
        self,
        features: Sequence[Tensor],
        labels: Tensor | None = None,
        open_unlabeled: bool = False,
        gate: Tensor | None = None,
    ) -> DetOutput:
        """Detect the action in each clip.

        Args:
            features: Taps (B, C, T/2, H/2, W/2), (B, C, T/4, H/4, W/4) and
                (B, C, T/8, H/8, W/8).
            labels: (B,) int64 true classes, -1 where unknown; ``None`` at inference.
            open_unlabeled: See :func:`class_gate`.
            gate: (B, K) in [0, 1] to use instead of :func:`class_gate`'s.

        Returns:
            Mask logits at input size, class scores, capsule activations.

        Raises:
            ValueError: If the deepest map is smaller than the capsule kernel.
        """
        shallow, middle, deep = features
        batch, _, frames, height, width = deep.shape
        if min(height, width) < self.kernel_size:
            raise ValueError(
                f'CapsuleRoutingHead(kernel_size={self.kernel_size}) needs a deepest '
                f'map of at least that size, got {height}x{width} (clips of '
                f'{8 * height}x{8 * width}); use larger clips or a smaller kernel_size'
            )
        # 2-D layers see every slice of the (short) time axis as an image
        deep = self.dropout(deep).movedim(2, 1).flatten(0, 1)  # (B*t, C, h, w)
        poses, activation = self.routing(*self.primary(deep))
        capsules = activation.unflatten(0, (batch, frames)).movedim(1, 2)
        scores = capsules.mean((2, 3, 4))

        if labels is None and gate is None and self.implementation == 'fast':
            best = scores.argmax(-1).repeat_interleave(frames)
            x = self._upsample_one_class(poses, best)
        else:
            if gate is None:
                gate = class_gate(scores, labels, open_unlabeled)
            gate = gate.repeat_interleave(frames, dim=0)[:, :, None, None, None]
            x = self.upsample1((poses * gate).flatten(1, 2))
        x = self._join(x, self.lateral1(deep))
        x = x.unflatten(0, (batch, frames)).movedim(1, 2)  # (B, C, t, h, w)
        x = self._join(self.upsample2(x), self._middle(middle))
        x = self._join(self.upsample3(x), self.lateral3(shallow))
        return DetOutput(self._decode_tail(x), scores, capsules)

    def class_gate(
        self, scores: Tensor, labels: Tensor | None, open_unlabeled: bool = False
    ) -> Tensor:
        """:func:`class_gate`, for whoever mixes clips and hence gates."""
        return class_gate(scores, labels, open_unlabeled)

    def class_scores(self, poses: Tensor, activation: Tensor, clips: int) -> Tensor:
        """Scores (``clips``, K) of primary capsules as ``primary`` makes them."""
        _, activation = self.routing(poses, activation)  # (clips*t, K, h, w)
        return activation.unflatten(0, (clips, -1)).mean((1, 3, 4))

    def _middle(self, x: Tensor) -> Tensor:
        layer = self.lateral2
        if self.implementation == 'plain':
            return layer(x)
        return conv3d_of_3(x, layer.weight, layer.bias)

    def _upsample_one_class(self, poses: Tensor, classes: Tensor) -> Tensor:
        """What ``upsample1`` makes of one class's poses, all others being zero.

        Args:
            poses: (N, K, P, h, w).
            classes: (N,) int64.
        """
        layer, rows = self.upsample1, torch.arange(len(poses), device=poses.device)
        weight = layer.weight.unflatten(0, (self.num_classes, -1))[classes]
        x = F.conv_transpose2d(
            poses[rows, classes].flatten(0, 1)[None],
            weight.flatten(0, 1),
            layer.bias.repeat(len(poses)),
            groups=len(poses),
        )
        return x[0].unflatten(0, (len(poses), -1))

    def _join(self, upsampled: Tensor, lateral: Tensor) -> Tensor:
        """Rectify both maps and stack their channels."""
        if self.implementation == 'plain':
            return torch.cat([F.relu(upsampled), F.relu(lateral)], dim=1)
        # one map to keep for the backward pass instead of three
        return F.relu(torch.cat([upsampled, lateral], dim=1), inplace=True)

    def _decode_tail(self, x: Tensor) -> Tensor:
        """Map (B, C, T/2, H/2, W/2) to mask logits (B, T, H, W)."""
        if self.implementation == 'plain':
            return self.smooth(self.dropout(self.upsample4(x))).squeeze(1)
        # the draw of dropout itself, so that both implementations drop alike
        batch = len(x) if self.training else 1
        ones = x.new_ones((batch, self.upsample4.out_channels, 1, 1, 1))
        factors = self.dropout(ones).flatten(1)
        return smooth_upsampled(x, self.upsample4, self.smooth, factors)
