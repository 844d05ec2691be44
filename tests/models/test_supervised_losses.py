import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import MessageHub

from ssvad.models.losses.supervised import (
    MaskLoss,
    SpreadLoss,
    dice_loss,
    spread_loss,
)
from tests import golden_network as golden
from tests.oracles import dice_loops, spread_loops


@given(seed=st.integers(0, 2**16), batch=st.integers(1, 5), classes=st.integers(2, 6))
def test_spread_loss_equals_loops(seed, batch, classes):
    rng = np.random.RandomState(seed)
    scores, labels = rng.rand(batch, classes), rng.randint(0, classes, batch)
    ours = spread_loss(torch.from_numpy(scores), torch.from_numpy(labels), 0.2)
    assert ours.item() == pytest.approx(spread_loops(scores, labels, 0.2), abs=1e-12)


@pytest.mark.parametrize('case', range(3))
def test_released_spread_loss_meets_the_reference(case):
    data = golden.load('losses')
    scores = torch.from_numpy(data[f'spread_{case}_x']).double()
    labels = torch.from_numpy(data[f'spread_{case}_t']).long().flatten()
    ours = SpreadLoss(divide_twice=True)(scores, labels)
    assert ours.item() == pytest.approx(float(data[f'spread_{case}_loss']), rel=2e-6)


def test_a_repeated_batch_costs_the_same_unless_divided_twice():
    scores, labels = torch.rand(3, 5), torch.tensor([0, 2, 4])
    twice = scores.repeat(2, 1), labels.repeat(2)
    assert SpreadLoss()(*twice) == pytest.approx(SpreadLoss()(scores, labels).item())
    released = SpreadLoss(divide_twice=True)
    assert released(*twice) == pytest.approx(released(scores, labels).item() / 2)


def test_margin_grows_with_the_epochs():
    loss = SpreadLoss(margin_growth=dict(by=0.1, every=5, upto=0.9))
    hub = MessageHub.get_current_instance()
    margins = []
    for epoch in (0, 4, 5, 12, 35, 90):
        hub.update_info('epoch', epoch)
        margins.append(round(loss.current_margin(), 6))
    hub.update_info('epoch', 0)
    assert margins == [0.2, 0.2, 0.3, 0.4, 0.9, 0.9]
    assert SpreadLoss(margin=0.3).current_margin() == 0.3


def reference_masks(data, case, rng):
    batch, size = data[f'shape_{case}']
    shape = (batch, 1, 8, size, size)
    x = (3 * rng.standard_normal(shape)).astype(np.float32)
    t = (rng.rand(*shape) > 0.7).astype(np.float32)
    rng.standard_normal(shape), rng.rand(*shape), rng.rand(batch, 8, size, size)
    return torch.from_numpy(x), torch.from_numpy(t)


def test_mask_losses_meet_the_reference():
    data = golden.load('losses')
    rng = np.random.RandomState(golden.SEED + 30)
    for case in range(3):
        batch, classes = data[f'spread_{case}_x'].shape
        rng.rand(batch, classes), rng.randint(0, classes, (batch, 1))
    cases = sorted(key for key in data.files if key.startswith('shape_'))
    for case in range(len(cases)):
        logits, target = reference_masks(data, case, rng)
        logits.requires_grad_()
        losses = MaskLoss()(logits, target)
        for term in ('dice', 'bce'):
            loss = losses[f'loss_mask_{term}']
            expected = float(data[f'{term}_{case}_loss'])
            assert loss.item() == pytest.approx(expected, rel=2e-6)
            (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
            np.testing.assert_allclose(
                gradient[0, 0, 0], data[f'{term}_{case}_grad0'], 0, 1e-9, err_msg=term
            )


@given(seed=st.integers(0, 2**16))
def test_dice_loss_equals_loops(seed):
    rng = np.random.RandomState(seed)
    logits, target = rng.randn(2, 3, 4), (rng.rand(2, 3, 4) > 0.5).astype(float)
    ours = dice_loss(torch.from_numpy(logits), torch.from_numpy(target))
    assert ours.item() == pytest.approx(dice_loops(logits, target), abs=1e-12)


@given(seed=st.integers(0, 2**16), clips=st.integers(1, 4))
def test_dice_over_clips_is_the_mean_of_theirs(seed, clips):
    rng = np.random.RandomState(seed)
    logits = rng.randn(clips, 3, 4)
    target = (rng.rand(clips, 3, 4) > 0.5).astype(float)
    ours = dice_loss(torch.from_numpy(logits), torch.from_numpy(target), over='clip')
    each = [dice_loops(*clip) for clip in zip(logits, target)]
    assert ours.item() == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize('over', ['batch', 'clip'])
def test_mask_losses_of_no_clip_are_zero_and_connected(over):
    logits = torch.randn(2, 2, 3, 3, requires_grad=True)
    losses = MaskLoss(dice_over=over)(logits[:0], torch.zeros(0, 2, 3, 3))
    assert [loss.item() for loss in losses.values()] == [0, 0]
    sum(losses.values()).backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_dice_over_something_else_is_refused():
    with pytest.raises(ValueError, match="'batch' or 'clip', got 'video'"):
        MaskLoss(dice_over='video')


def test_dice_loss_of_nothing_predicted_as_nothing_is_zero():
    logits, target = torch.full((1, 2, 3, 3), -40.0), torch.zeros(1, 2, 3, 3)
    assert dice_loss(logits, target).item() == pytest.approx(0, abs=1e-6)
