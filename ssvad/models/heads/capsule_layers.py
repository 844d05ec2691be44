"""Matrix capsules as layers: primary capsules, and capsules routed from a grid.

I input capsule types, K output types; poses are p x p matrices flattened row by row
to P = p * p numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .chunked_conv import conv2d_in_chunks
from .fast_routing import em_routing_by_chunks
from .routing import dynamic_routing, em_routing


class PrimaryCapsules(nn.Module):
    """Convolutions that turn a feature map into poses and activations.

    Args:
        in_channels: Channels of the feature map.
        num_capsules: Capsule types I.
        pose_size: p; a pose is a p x p matrix.
        kernel_size: Spatial kernel; no padding, so the grid shrinks by kernel - 1.
        implementation: ``'fast'`` saves memory on a CPU
            (:func:`~ssvad.models.heads.chunked_conv.conv2d_in_chunks`), ``'plain'`` is
            the layers themselves. The same function.
    """

    def __init__(
        self,
        in_channels: int,
        num_capsules: int,
        pose_size: int,
        kernel_size: int,
        implementation: str = 'fast',
    ):
        super().__init__()
        self.implementation = implementation
        self.pose = nn.Conv2d(in_channels, num_capsules * pose_size**2, kernel_size)
        self.activation = nn.Conv2d(in_channels, num_capsules, kernel_size)
        for conv in (self.pose, self.activation):
            nn.init.normal_(conv.weight, std=0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) to poses (B, I*P, h, w) and activations (B, I, h, w)."""
        fast = self.implementation == 'fast'
        pose = conv2d_in_chunks(x, self.pose) if fast else self.pose(x)
        # Routing divides by activations: the gradient at one that float16 rounds to 0
        # is infinite, and 0 * inf is what the sigmoid would pass on.
        logits = self.activation(x).to(self.activation.weight.dtype)
        return pose, logits.sigmoid()


def patches(x: Tensor, kernel_size: int) -> Tensor:
    """Gather what each k x k window of a grid sees, without padding.

    Args:
        x: (B, I, ..., h, w).
        kernel_size: k.

    Returns:
        (B, k * k * I, ..., h - k + 1, w - k + 1), ordered by row in the window,
        column, type.
    """
    if kernel_size == 1:
        return x
    height, width = (size - kernel_size + 1 for size in x.shape[-2:])
    offsets = [(r, c) for r in range(kernel_size) for c in range(kernel_size)]
    return torch.cat([x[..., r : r + height, c : c + width] for r, c in offsets], dim=1)


class ConvCapsules(nn.Module):
    """Convolutional capsules: routing at every grid position on its own.

    Routing takes logarithms of tiny variances, so it runs in float32 inside autocast.

    Args:
        in_capsules: I.
        out_capsules: K.
        pose_size: p.
        iterations: Routing iterations.
        kernel_size: Side of the window whose capsules vote, 1 in the detector.
        routing: ``'em'`` (:func:`~ssvad.models.heads.routing.em_routing`) or
            ``'dynamic'`` (:func:`~ssvad.models.heads.routing.dynamic_routing`).
        implementation: Of EM routing: ``'fast'``
            (:func:`~ssvad.models.heads.fast_routing.em_routing_by_chunks`) or
            ``'plain'``, as the formulas are written. The same function.

    Raises:
        ValueError: If ``routing`` or ``implementation`` is none of these.
    """

    def __init__(
        self,
        in_capsules: int,
        out_capsules: int,
        pose_size: int,
        iterations: int,
        kernel_size: int = 1,
        routing: str = 'em',
        implementation: str = 'fast',
    ):
        super().__init__()
        if routing not in ('em', 'dynamic'):
            raise ValueError(f"routing must be 'em' or 'dynamic', got {routing!r}")
        if implementation not in ('fast', 'plain'):
            raise ValueError(
                f"implementation must be 'fast' or 'plain', got {implementation!r}"
            )
        self.iterations = iterations
        self.implementation = implementation
        self.kernel_size = kernel_size
        self.routing = routing
        self.transform = nn.Parameter(
            torch.randn(
                in_capsules * kernel_size**2, out_capsules, pose_size, pose_size
            )
        )
        if routing == 'em':
            self.beta_u = nn.Parameter(torch.randn(out_capsules, pose_size**2))
            self.beta_a = nn.Parameter(torch.randn(out_capsules))

    def forward(self, poses: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
        """Route (B, I*P, h, w) poses and (B, I, h, w) activations.

        Returns:
            Poses (B, K, P, h', w') and activations (B, K, h', w') in [0, 1], where a
            side h' is h - kernel_size + 1.
        """
        num_out, size = self.transform.shape[1], self.transform.shape[-1]
        with torch.autocast(poses.device.type, enabled=False):
            dtype = self.transform.dtype
            poses = poses.to(dtype).unflatten(1, (-1, size, size))
            poses = patches(poses, self.kernel_size)
            activation = patches(activation.to(dtype), self.kernel_size)
            batch, _, height, width = activation.shape
            # every position of the grid on its own: (N, I, p, p) and (N, I)
            poses = poses.flatten(-2).permute(0, 4, 1, 2, 3).flatten(0, 1)
            activation = activation.flatten(2).movedim(1, 2).flatten(0, 1)
            pose, out = self._route(poses, activation)
        pose = pose.reshape(batch, height, width, num_out, -1).permute(0, 3, 4, 1, 2)
        out = out.reshape(batch, height, width, num_out).permute(0, 3, 1, 2)
        return pose, out

    def _route(self, poses: Tensor, activation: Tensor) -> tuple[Tensor, Tensor]:
        if self.routing == 'em' and self.implementation == 'fast':
            return em_routing_by_chunks(
                poses,
                activation,
                self.transform,
                self.beta_u,
                self.beta_a,
                self.iterations,
            )
        votes = torch.einsum('nipq,ikqr->nikpr', poses, self.transform).flatten(-2)
        if self.routing == 'dynamic':
            return dynamic_routing(votes, activation, self.iterations)
        return em_routing(votes, activation, self.beta_u, self.beta_a, self.iterations)
