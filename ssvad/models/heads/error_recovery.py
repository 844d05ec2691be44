"""Network that repairs masks (error recovery of Stable Mean Teacher)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn


def double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice convolution (3 x 3 x 3), instance norm without weights, ReLU."""
    layers = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv3d(channels, out_channels, 3, padding=1),
            nn.InstanceNorm3d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


@MODELS.register_module()
class ErrorRecovery(nn.Module):
    """3-D U-Net from a mask's probabilities to the logits of a better mask.

    It knows neither the class nor the video (Stable Mean Teacher, Sec. "Error
    Recovery"). Three halvings of time and space with skip connections; 1,459,585
    parameters and no buffers at the published width.

    Args:
        width: Channels of the first level; they double at each of the three others.
        dropout: Probability, behind the deepest level and before the last layer.
    """

    def __init__(self, width: int = 16, dropout: float = 0.3):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(
            double_conv(i, o) for i, o in zip([1, *widths[:-1]], widths)
        )
        self.up = nn.ModuleList(double_conv(3 * w, w) for w in reversed(widths[:-1]))
        self.dropout = nn.Dropout(dropout)
        self.final = nn.Conv3d(width, 1, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight)

    def forward(self, masks: Tensor) -> Tensor:
        """Map (B, 1, T, H, W) probabilities to logits of the same shape.

        Raises:
            ValueError: If T, H or W is no multiple of 8.
        """
        if any(size % 8 for size in masks.shape[2:]):
            raise ValueError(
                'ErrorRecovery needs frames, height and width that are multiples of '
                f'8, got {tuple(masks.shape[2:])}'
            )
        skips, x = [], masks
        for i, block in enumerate(self.down):
            x = block(F.max_pool3d(x, 2) if i else x)
            skips.append(x)
        x = self.dropout(skips.pop())
        for block in self.up:
            x = F.interpolate(x, scale_factor=2, mode='trilinear', align_corners=False)
            x = block(torch.cat([skips.pop(), x], dim=1))
        return self.final(self.dropout(x))
