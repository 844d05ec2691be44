"""Mean Teacher with edge attention (semi-supervised active learning, AAAI 2024)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor

from ssvad.ramps import sigmoid_ramp

from .mean_teacher import MeanTeacher
from .step import Step


def highpass_filter(height: int, width: int, radius: int = 4) -> np.ndarray:
    """Weights of 2-D frequencies, the constant one in the middle.

    Returns:
        (H, W) float32 in [0, 255]: small within ``radius``, with a soft edge
        (Gaussian, 19 x 19). The release does not scale it to 1.
    """
    low = np.zeros((height, width), np.float32)
    cv2.circle(low, (width // 2, height // 2), radius, 255, -1)
    return cv2.GaussianBlur(255 - low, (19, 19), 0)


@torch.no_grad()
def edge_attention(prob: Tensor, radius: int = 4) -> Tensor:
    """Magnitude of the high frequencies of each frame, cut off at 1.

    Args:
        prob: (..., H, W) mask probabilities.
        radius: Of the frequencies left out.

    Returns:
        Same shape, in [0, 1], no gradient. As the filter reaches 255, about a quarter
        of a typical map is at 1.
    """
    prob = prob.float()  # there is no half precision transform of all sizes
    weights = torch.from_numpy(highpass_filter(*prob.shape[-2:], radius))
    weights = torch.fft.ifftshift(weights.to(prob.device))
    return torch.fft.ifft2(torch.fft.fft2(prob) * weights).abs().clamp(max=1)


@MODELS.register_module()
class FFTMeanTeacher(MeanTeacher):
    """Mean Teacher whose masks must agree at edges above all.

    ``lambda (w (mean(W(p_t) d^2) + mean(W(p_s) d^2)) + (1 - w) mean((z_s - z_t)^2))``
    where d is the difference of logits smoothed over 3 x 3 x 3 voxels, W is
    :func:`edge_attention` and w rises over all of training. This is the
    semi-supervised part of the paper; its other part chooses which videos to label.

    Args:
        loss_weight: lambda, 0.1 in the released code.
        radius: See :func:`edge_attention`.
    """

    def __init__(self, loss_weight: float = 0.1, radius: int = 4):
        super().__init__(loss_weight)
        self.radius = radius

    def forward(self, step: Step) -> dict[str, Tensor]:
        """See :meth:`SemiMethod.forward`."""
        masks = step.student('strong').mask, step.teacher('weak').mask
        weights = sum(edge_attention(z.sigmoid(), self.radius) for z in masks)
        ramp = sigmoid_ramp(step.progress)

        def distance(student: Tensor, teacher: Tensor) -> Tensor:
            squared = F.avg_pool3d(student - teacher, 3, 1, 1).square()
            attended, plain = (weights * squared).mean(), F.mse_loss(student, teacher)
            return ramp * attended + (1 - ramp) * plain

        term = step.compare('loss_cons_mask', distance, *masks, self.loss_weight)
        return dict(loss_cons_mask=term)

    def maps(self, step: Step) -> dict[str, Tensor]:
        """Masks of both networks and the attention of the teacher's."""
        maps = super().maps(step)
        teacher = step.teacher('weak').mask.sigmoid()
        maps['edge attention'] = edge_attention(teacher, self.radius)
        return maps
