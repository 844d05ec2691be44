"""A teacher that is the moving average of the student."""

from __future__ import annotations

import copy

import torch
from torch import nn

BUFFERS = ('average', 'copy', 'own')
MODES = ('eval', 'train')


def average_decay(step: int, decay: float) -> float:
    """Share that the teacher keeps: ``min(1 - 1 / (g + 1), decay)``.

    Early in training the teacher is the plain mean of the students so far (Tarvainen &
    Valpola 2017).

    Args:
        step: g >= 1, the training step before whose teacher forward the update is.
        decay: Upper bound in [0, 1).
    """
    return min(1 - 1 / (step + 1), decay)


class Teacher(nn.ModuleDict):
    """Copies of modules that follow their originals, without gradient.

    mmengine's ``ExponentialMovingAverage`` keeps references to its buffers that go
    stale when the model moves to a device, knows no early plain mean, and copies or
    averages statistics, but cannot leave them to the teacher.

    Args:
        modules: The originals by name.
        decay: See :func:`average_decay`.
        buffers: What happens to running statistics. ``'average'`` (default) treats
            them as weights, ``'copy'`` takes the student's, ``'own'`` leaves them
            alone, which makes sense in mode ``'train'`` only, where the teacher's own
            forward passes update them.
        mode: ``'eval'`` (default), or ``'train'`` as in the released codes: batch
            statistics and dropout in the teacher, too.

    Attributes:
        updates: () int64 buffer, number of updates so far, saved with the weights; 0
            means that the teacher has not yet been made equal to the student.

    Raises:
        ValueError: If an argument is none of those named.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        decay: float = 0.99,
        buffers: str = 'average',
        mode: str = 'eval',
    ):
        if buffers not in BUFFERS:
            raise ValueError(f'teacher buffers must be one of {BUFFERS}: {buffers!r}')
        if mode not in MODES:
            raise ValueError(f'teacher mode must be one of {MODES}: {mode!r}')
        if not 0 <= decay < 1:
            raise ValueError(f'teacher decay must lie in [0, 1), got {decay}')
        if (buffers, mode) == ('own', 'eval'):
            raise ValueError(
                "a teacher in mode 'eval' never updates its own statistics: use "
                "buffers='average' or 'copy', or mode='train'"
            )
        super().__init__({name: copy.deepcopy(m) for name, m in modules.items()})
        self.requires_grad_(False)
        self.register_buffer('updates', torch.tensor(0))
        self.decay = decay
        self.buffer_rule = buffers
        self.mode = mode

    @torch.no_grad()
    def follow(self, modules: dict[str, nn.Module]) -> None:
        """Move towards ``modules``; the first time become equal to them.

        Call once before training and then after each step of the optimiser: the n-th
        is what the released codes do in step n + 1 before they use the teacher.
        """
        first = self.updates == 0
        keep = 0.0 if first else average_decay(int(self.updates) + 1, self.decay)
        for name, teacher in self.items():
            source = modules[name]
            for average, new in zip(teacher.parameters(), source.parameters()):
                average.lerp_(new, 1 - keep)
            for average, new in zip(teacher.buffers(), source.buffers()):
                if first or self.buffer_rule == 'copy':
                    average.copy_(new)
                elif self.buffer_rule == 'average':
                    if average.is_floating_point():
                        average.lerp_(new, 1 - keep)
                    else:
                        average.copy_(new)
        self.updates += 1

    def train(self, mode: bool = True) -> Teacher:
        """Training loops call this each epoch; mode ``'eval'`` stays what it is."""
        return super().train(mode and self.mode == 'train')
