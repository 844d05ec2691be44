"""Class-aware feature enhancement of CEPM: queues of capsule maps and attention."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from mmengine.dist import all_gather
from torch import Tensor, nn


class ClassQueues(nn.Module):
    """The last ``size`` maps of each class, first in, first out.

    Buffers, hence saved and resumed; in half precision, which halves the 0.6 GB that
    they take for clips of 8 x 224 x 224. In distributed training every process gets the
    maps of all: all hold the same queues, one process with the whole batch would hold
    them, too, and it does no harm that buffers are averaged at the end of an epoch.

    Args:
        num_classes: K.
        size: Of a queue.
        positions: P, grid positions of a clip.
        channels: C.
    """

    def __init__(self, num_classes: int, size: int, positions: int, channels: int):
        super().__init__()
        maps = torch.zeros(num_classes, size, positions, channels, dtype=torch.half)
        self.register_buffer('maps', maps)
        self.register_buffer('count', torch.zeros(num_classes, dtype=torch.long))

    @torch.no_grad()
    def put(self, maps: Tensor, classes: Tensor) -> None:
        """Append maps in their order, those of lower ranks first.

        Args:
            maps: (B, P, C), the same B on all ranks.
            classes: (B,) int64, -1 for maps to leave out.

        Raises:
            ValueError: If P or C are not those of the queues.
        """
        if maps.shape[1:] != self.maps.shape[2:]:
            raise ValueError(
                'ClassFeatureEnhancement was made for (positions, channels) = '
                f'{tuple(self.maps.shape[2:])} of primary capsules, this detector has '
                f'{tuple(maps.shape[1:])} for clips of this size'
            )
        maps = torch.cat(all_gather(maps.to(self.maps.dtype).contiguous()))
        classes = torch.cat(all_gather(classes))
        for row, label in zip(maps, classes.tolist()):
            if label >= 0:
                self.maps[label, self.count[label] % self.maps.shape[1]] = row
                self.count[label] += 1

    def of_class(self, label: int) -> Tensor:
        """(N, P, C) maps of one class, N <= size, in no particular order."""
        return self.maps[label, : int(self.count[label])]


class DifferentialCrossAttention(nn.Module):
    """One layer: each position of a map looks at the same position of N others.

    Weights are the softmax over N of the difference of two attentions, the second one
    times a learned share that starts near 0.27, so that what both find everywhere
    cancels out. Values are a learned mixture of two projections.

    Args:
        channels: C.
    """

    def __init__(self, channels: int):
        super().__init__()
        hidden = max(channels // 8, 32)
        self.query_norm = nn.LayerNorm(channels)
        self.key_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.query = nn.Linear(channels, channels)
        self.keys = nn.Linear(channels, 2 * channels)
        self.values = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.subtracted = nn.Sequential(
            nn.Linear(2 * channels, hidden), nn.Tanh(), nn.Linear(hidden, 1)
        )
        self.first_value = nn.Linear(2 * channels, channels)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.subtracted[0].weight, std=0.01)
        nn.init.normal_(self.subtracted[2].weight, std=0.01)
        nn.init.constant_(self.subtracted[2].bias, -1.0)

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """Enhance one map.

        Args:
            x: (P, C).
            maps: (N, P, C).

        Returns:
            (P, C).
        """
        query = self.query(self.query_norm(x))
        keys = self.keys(maps).chunk(2, -1)
        first, second = (norm(key) for norm, key in zip(self.key_norms, keys))
        pair = [query.mean(0).expand(len(maps), -1), first.mean(1)]
        pair = torch.cat(pair, -1)  # (N, 2C)
        attention = torch.einsum('pc,npc->np', query, first)
        common = torch.einsum('pc,npc->np', query, second)
        logits = attention - self.subtracted(pair).sigmoid() * common
        weights = (logits / query.shape[-1] ** 0.5).softmax(0)
        first, second = self.values(maps).chunk(2, -1)
        share = self.first_value(pair).sigmoid()[:, None]  # (N, 1, C)
        values = share * first + (1 - share) * second
        return x + self.out(torch.einsum('np,npc->pc', weights, values))


@MODELS.register_module()
class ClassFeatureEnhancement(nn.Module):
    """Fuses the capsule map of a labelled clip with maps of its class (CEPM's "CFE").

    Args:
        num_classes: K.
        channels: C = I * (p * p + 1), poses and activations of the primary capsules;
            544 with 32 types of 4 x 4.
        positions: P = t * h * w of the grid of primary capsules; 400 for clips of
            8 x 224 x 224.
        queue_size: Maps kept of each class.
        num_layers: Of attention.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 544,
        positions: int = 400,
        queue_size: int = 32,
        num_layers: int = 2,
    ):
        super().__init__()
        self.queues = ClassQueues(num_classes, queue_size, positions, channels)
        self.layers = nn.ModuleList(
            DifferentialCrossAttention(channels) for _ in range(num_layers)
        )

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        """Fuse each of (L, P, C) maps with the queue of its class, labels (L,).

        A map stays what it is while there are fewer than two others: there is nothing
        to compare.
        """
        fused = []
        for x, label in zip(maps, labels.tolist()):
            others = self.queues.of_class(label).to(x.dtype)
            for layer in self.layers if len(others) > 1 else ():
                x = layer(x, others)
            fused.append(x)
        return torch.stack(fused) if fused else maps
