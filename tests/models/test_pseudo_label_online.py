"""Online pseudo-labels: which clips are taken, and what they are then worth."""

import numpy as np
import pytest
import torch

from ssvad.models import DetOutput, MaskDetector, PseudoLabel
from ssvad.models.losses.supervised import MaskLoss, SpreadLoss
from ssvad.models.semi.pseudo_label import class_margin, mask_confidence
from ssvad.ramps import Progress
from tests.models.fakes import FakeStep


class Supervisor:
    """The losses of a detector without its networks."""

    loss_cls, loss_mask = SpreadLoss(), MaskLoss()
    loss_by_output = MaskDetector.loss_by_output


def step_of(margins, confidences, labels, done=0.2):
    """Clips whose best class is ahead by a margin, and the confidence of their masks.

    Class b % 3 is the best one; half of a mask is foreground.
    """
    progress = Progress(0, 1, int(1000 * done), 1000)
    step = FakeStep(labels, progress, ('base',), Supervisor())
    scores = torch.zeros(len(labels), 3, dtype=torch.float64)
    mask = torch.full((len(labels), 2, 4, 4), -1.0, dtype=torch.float64)
    for b, (margin, confidence) in enumerate(zip(margins, confidences)):
        scores[b] = torch.tensor([0.3, 0.25, 0.1]).roll(b)  # the second counts
        scores[b, b % 3] = 0.25 + margin
        foreground = torch.tensor([confidence - 0.02, confidence + 0.02]).logit()
        mask[b, :, :2] = foreground.repeat_interleave(2)
    fields = (mask, scores, scores[..., None, None, None])
    step._outputs['base'] = DetOutput(*(x.requires_grad_() for x in fields))
    return step


def by_hand(step, taken):
    """Losses of the taken clips: margin, cross entropy, Dice."""
    output = step.student('base')
    hinge, cross, overlap, total = [], [], 0.0, 0.0
    for b in taken:
        scores = output.scores[b].detach().numpy()
        best = scores.argmax()
        hinge.append(
            sum(
                max(0, 0.2 - (scores[best] - scores[k])) ** 2
                for k in range(3)
                if k != best
            )
        )
        p = 1 / (1 + np.exp(-output.mask[b].detach().numpy()))
        m = (p > 0.5).astype(float)
        cross.append(-(m * np.log(p) + (1 - m) * np.log(1 - p)).mean())
        overlap += (p * m).sum()
        total += p.sum() + m.sum()
    return dict(
        loss_pseudo_cls=np.mean(hinge),
        loss_pseudo_mask_bce=np.mean(cross),
        loss_pseudo_mask_dice=1 - (2 * overlap + 1) / (total + 1),
    )


@pytest.mark.parametrize('done', [0.0, 0.1, 0.4, 0.9])
def test_sure_clips_are_trained_like_labelled_ones(done):
    labels = [None, None, 0, None, None]
    step = step_of(
        [0.15, 0.1, 0.3, 0.4, 0.13], [0.8, 0.9, 0.9, 0.6, 0.75], labels, done
    )
    losses = PseudoLabel(0.5, class_thr=0.12, mask_thr=0.7, rampup=0.4)(step)
    assert losses.pop('pseudo_labels') == 2
    weight = 0.5 * min(1, done / 0.4)
    expected = {k: weight * v for k, v in by_hand(step, [0, 4]).items()}
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ('margin', 'confidence', 'taken'),
    [(0.11, 0.71, 1), (0.09, 0.9, 0), (0.6, 0.69, 0)],
)
def test_both_thresholds_must_be_reached(margin, confidence, taken):
    step = step_of([margin], [confidence], [None])
    assert PseudoLabel()(step)['pseudo_labels'] == taken


def test_a_labelled_clip_never_gets_a_pseudo_label():
    step = step_of([0.6, 0.6], [0.9, 0.9], [0, 1])
    losses = PseudoLabel()(step)
    assert losses.pop('pseudo_labels') == 0
    assert all(value == 0 for value in losses.values())


def test_only_the_taken_clips_learn():
    step = step_of([0.6, 0.6, 0.05], [0.9, 0.9, 0.9], [None, 1, None])
    losses = PseudoLabel()(step)
    losses['loss_pseudo_mask_bce'].backward()
    reached = step.student('base').mask.grad.flatten(1).abs().sum(1) > 0
    assert reached.tolist() == [True, False, False]


def test_confidence_is_the_mean_over_foreground():
    prob = torch.tensor([[0.6, 0.8, 0.5, 0.1], [0.5, 0.2, 0.0, 0.4]])[:, None, None]
    assert mask_confidence(prob).tolist() == pytest.approx([0.7, 0])


def test_margin_is_what_the_best_class_is_ahead():
    scores = torch.tensor([[0.5, 0.7, 0.4], [0.2, 0.2, 0.1]])
    assert class_margin(scores).tolist() == pytest.approx([0.2, 0])
    assert class_margin(scores[:, :1]).tolist() == pytest.approx([0.5, 0.2])
