"""The consistency terms against their formulas."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from ssvad.models.semi.consistency import masked_mean
from tests.oracles import curvature_loops, cyclic_variance_loops

VARIANCE = dict(type='CyclicVariance', window=3)
GRADIENT = dict(type='GradientSmoothness')


def scaled(maps):
    maps = maps - maps.min()
    return maps / (maps.max() + 1e-7)


def literal(first, second, ramp):
    """Per-clip attention, then means over the batch: L2, variance, gradient terms."""
    squared = (second - first) ** 2
    variance = [cyclic_variance_loops(a, b, 3) for a, b in zip(first, second)]
    prob = 1 / (1 + np.exp(-first))
    gradient = [scaled(abs(curvature_loops(p))) for p in prob]
    l2 = squared.mean()
    attended = (np.stack(variance) * squared).mean()
    return dict(
        l2=l2,
        variance=attended,
        mixed=ramp * attended + (1 - ramp) * l2,
        gradient=(np.stack(gradient) * squared).mean(),
    )


@pytest.mark.parametrize('ramp', [0.0, 0.3, 1.0])
def test_terms_follow_the_formulas(ramp):
    first, second = np.random.RandomState(0).randn(2, 3, 8, 4, 5)
    expected = literal(first, second, ramp)
    expected['both'] = (expected['mixed'] + expected['gradient']) / 2
    attention = dict(
        l2=None,
        variance=dict(VARIANCE, ramped=False),
        mixed=VARIANCE,
        gradient=GRADIENT,
        both=[VARIANCE, GRADIENT],
    )
    tensors = torch.from_numpy(first), torch.from_numpy(second)
    valid = torch.ones(3, 1, 4, 5, dtype=torch.bool)
    for name, value in expected.items():
        cfg = dict(type='SemiSupConsistency', attention=attention[name])
        ours = MODELS.build(cfg).mask_distance(*tensors, valid, ramp)
        assert ours.item() == pytest.approx(value, rel=1e-9), name


def test_pixels_that_a_view_does_not_see_do_not_count():
    values = torch.rand(2, 3, 4, 4)
    valid = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    valid[0, :, :2] = True
    spoiled = torch.where(valid, values, torch.tensor(1e6))
    assert masked_mean(spoiled, valid).item() == pytest.approx(
        values[0, :, :2].mean().item()
    )
    assert masked_mean(values, torch.zeros_like(valid)).item() == 0


def test_probabilities_can_be_compared_instead_of_logits():
    first, second = torch.randn(2, 2, 8, 4, 4)
    valid = torch.ones(2, 1, 4, 4, dtype=torch.bool)
    method = MODELS.build(dict(type='SemiSupConsistency', on='probabilities'))
    ours = method.mask_distance(first, second, valid, 1.0)
    expected = (first.sigmoid() - second.sigmoid()).square().mean()
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(class_form='mse'), "one of .'jsd', 'kl'., got 'mse'"),
        (dict(target='strong'), "'base', 'flip'.* or None, got 'strong'"),
    ],
)
def test_unknown_choices_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='SemiSupConsistency', **change))
