"""A step with given outputs, for tests of the formulas of methods."""

import torch
from mmaction.structures import ActionDataSample

from ssvad.geometry import ViewGeometry
from ssvad.models import DetOutput, Step


def output(clips, seed=0, classes=3, size=(2, 4, 4), spread=5.0):
    """Random float64 outputs; masks are logits on both sides of 0."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(clips, *shape, generator=generator, dtype=torch.float64)

    capsules = 0.1 + 0.8 * draw(classes, 1, 2, 2)
    mask = spread * (2 * draw(*size) - 1)
    return DetOutput(mask, capsules.mean((2, 3, 4)), capsules)


def samples_of(labels, views, size=(2, 4, 4)):
    """Data samples; a clip whose label is None has none."""
    samples = []
    for i, label in enumerate(labels):
        sample = ActionDataSample()
        if label is not None:
            sample.set_gt_label(label)
            mask = torch.rand(size, generator=torch.Generator().manual_seed(i)) > 0.5
            sample.set_field(mask.byte(), 'gt_mask')
        geometry = {name: ViewGeometry(hflip=name == 'flip') for name in views}
        sample.set_metainfo(dict(views=geometry))
        samples.append(sample)
    return samples


class FakeStep(Step):
    """Each view and network has a random output of its own.

    Args:
        labels: Of the clips; None for unlabelled ones.
        progress: Position in training.
        views: Names.
        detector: Takes part where a method asks for another forward.
        size: Of the masks.
    """

    def __init__(
        self,
        labels,
        progress,
        views=('weak', 'strong'),
        detector=None,
        size=(2, 4, 4),
    ):
        inputs = torch.rand(len(labels), len(views), 3, *size, dtype=torch.float64)
        super().__init__(detector, inputs, samples_of(labels, views, size))
        self.progress = progress
        for seed, view in enumerate(views):
            own = output(len(labels), seed, size=size)
            self._outputs[view] = DetOutput(*(x.requires_grad_() for x in own))
            self._teacher_outputs[view] = output(len(labels), seed + 10, size=size)
