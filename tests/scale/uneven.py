"""A model that takes longer over some videos, and lists that no number divides."""

import torch
from mmaction.registry import DATASETS, MODELS

from tests.toy_run import ToyModel, ToyNumbers


@MODELS.register_module()
class UnevenModel(ToyModel):
    """Infers odd numbers in four parts: those of every second rank."""

    def forward(self, inputs, mode='tensor'):
        if mode != 'loss':
            number = round(8 * inputs[0][0].item())
            for _ in range(3 * (number % 2)):
                self.linear(torch.stack(inputs))
        return super().forward(inputs, mode)


@DATASETS.register_module()
class FewNumbers(ToyNumbers):
    """The first so many numbers."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count
