"""Every loss and attention map by itself, with its gradient, against the released one.

Losses of losses.npz were recorded from float32 runs: seven digits.
"""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from ssvad.models import CyclicVariance, GradientSmoothness, SpreadLoss
from ssvad.models.losses.supervised import dice_loss
from tests import golden_network as golden
from tests import oracle_step

LOSSES = golden.load('losses')
MAPS = golden.load('consistency_masks')


def pixel_cases():
    """x, target t, second x y, weight w of five axes and w4 without the colour axis."""
    rng = np.random.RandomState(golden.SEED + 30)
    for case in range(3):
        count, classes = LOSSES[f'spread_{case}_x'].shape
        rng.rand(count, classes), rng.randint(0, classes, (count, 1))
    for case in range(2):
        count, side = LOSSES[f'shape_{case}']
        shape = (count, 1, 8, side, side)
        x = 3 * rng.standard_normal(shape)
        t = rng.rand(*shape) > 0.7
        y = 3 * rng.standard_normal(shape)
        w, w4 = rng.rand(*shape), rng.rand(count, 8, side, side)
        arrays = (a.astype(np.float32).astype(np.float64) for a in (x, t, y, w, w4))
        yield tuple(map(torch.from_numpy, arrays))


PIXELS = list(pixel_cases())


def check(loss, x, name):
    """The loss and its gradient in the first frame of the first clip."""
    assert loss.item() == pytest.approx(float(LOSSES[f'{name}_loss']), rel=5e-7)
    x.grad = None
    loss.backward()
    expected = LOSSES[f'{name}_grad0']
    limit = 2e-7 * np.abs(expected).max()
    gradient = x.grad.reshape(-1, 8, *expected.shape)
    np.testing.assert_allclose(gradient[0, 0], expected, 1e-5, limit, err_msg=name)
    if f'{name}_grad_stats' in LOSSES:
        found, expected = golden.stats(gradient), LOSSES[f'{name}_grad_stats']
        np.testing.assert_allclose(found, expected, 1e-5, 1e-12, err_msg=name)


@pytest.mark.parametrize('case', range(3))
def test_class_loss(case):
    x = torch.from_numpy(LOSSES[f'spread_{case}_x']).double().requires_grad_()
    labels = torch.from_numpy(LOSSES[f'spread_{case}_t'])[:, 0].long()
    loss = SpreadLoss(divide_twice=True)(x, labels)
    loss.backward()
    assert loss.item() == pytest.approx(float(LOSSES[f'spread_{case}_loss']), rel=2e-7)
    expected = LOSSES[f'spread_{case}_grad']
    np.testing.assert_allclose(x.grad, expected, 1e-6, 1e-7)
    # what the released function gives beside it: margin 0.9, one division
    wide = SpreadLoss(margin=0.9)(x, labels).item()
    assert wide == pytest.approx(float(LOSSES[f'spread_{case}_abs']), rel=2e-7)


@pytest.mark.parametrize('case', range(2))
def test_mask_losses(case):
    x, t, *_ = PIXELS[case]
    x = x[:, 0].requires_grad_()
    losses = MODELS.build(dict(type='MaskLoss'))(x, t[:, 0])
    check(losses['loss_mask_bce'], x, f'bce_{case}')
    check(losses['loss_mask_dice'], x, f'dice_{case}')
    assert dice_loss(x, t[:, 0]).item() == losses['loss_mask_dice'].item()


class Given(torch.nn.Module):
    """Attention to what it is told."""

    ramped = False

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, first, second):
        return self.maps


def attended(x, y, maps):
    """Our attended distance of (B, 1, T, H, W) volumes under given maps."""
    method = MODELS.build(dict(type='SemiSupConsistency'))
    method.attention.append(Given(maps))
    valid = torch.ones(len(x), 1, *x.shape[3:], dtype=torch.bool)
    return method.mask_distance(x[:, 0], y[:, 0], valid, ramp=0.5)


@pytest.mark.parametrize('case', range(2))
def test_attended_distances(case):
    x, _, y, w, w4 = PIXELS[case]
    x.requires_grad_()
    check(attended(x, y, w[:, 0]), x, f'wmse_{case}')
    # a weight without colour axis meets every clip: as much as its mean over the batch
    mean_map = w4.mean(0, keepdim=True).expand_as(w4)
    check(attended(x, y, mean_map), x, f'wmse4d_{case}')
    check(oracle_step.weighted_mse(x, y, w), x, f'wmse_{case}')
    check(oracle_step.weighted_mse(x, y, w4), x, f'wmse4d_{case}')


def views():
    out = torch.from_numpy(golden.logits(golden.SEED + 20, 2)).double()
    aug = torch.from_numpy(golden.logits(golden.SEED + 21, 2)).double()
    return out, aug.flip(-1)


def check_maps(maps, name):
    expected = MAPS[name]
    part = np.asarray(maps[..., ::12, ::12]).reshape(expected.shape)
    np.testing.assert_allclose(part, expected, 0, 5e-7)
    found = np.stack([golden.stats(clip) for clip in maps])
    np.testing.assert_allclose(found, MAPS[f'{name}_stats'], 1e-6, 5e-7)


@pytest.mark.parametrize('window', [3, 5])
@pytest.mark.parametrize('kind', ['raw', 'sig'])
def test_variance_maps(window, kind):
    out, aligned = views()
    on = 'logits' if kind == 'raw' else 'probabilities'
    name = f'var_n{window}_{kind}'
    check_maps(CyclicVariance(window, on=on)(out, aligned), name)
    both = CyclicVariance(window, on=on, both_directions=True)(out, aligned)
    check_maps(both / 2, name)
    first, second = out.numpy(), aligned.numpy()
    clock, anticlock = (
        oracle_step.ring_variance(*pair, window, kind == 'sig')
        for pair in ((first, second[:, ::-1]), (first[:, ::-1], second))
    )
    check_maps(clock, name)
    found = np.stack([golden.stats(clip) for clip in anticlock])
    np.testing.assert_allclose(found, MAPS[f'{name}_anti_stats'], 1e-6, 5e-7)
    np.testing.assert_allclose(anticlock[:, ::-1], clock, 0, 1e-12)


@pytest.mark.parametrize('case', range(4))
def test_gradient_maps(case):
    thresholds = [None if np.isnan(t) else t for t in MAPS['grad_thresholds'][case]]
    out, aligned = views()
    signed = GradientSmoothness(signed=True, thresholds=thresholds)
    check_maps(signed(out, aligned), f'grad_{case}')
    check_maps(oracle_step.gradient_map(out.numpy(), thresholds), f'grad_{case}')
    mean = GradientSmoothness(signed=True, batch_mean=True, thresholds=thresholds)
    expected = torch.from_numpy(MAPS[f'grad_{case}']).mean(0).expand(2, -1, -1, -1)
    found = mean(out, aligned)[..., ::12, ::12].float()
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-7)


def test_ramp():
    for epochs, epoch, expected in LOSSES['ramp']:
        assert oracle_step.exp_rampup(epoch, epochs) == pytest.approx(
            expected, rel=1e-14
        )
