"""Batches from which there is nothing to learn: losses and gradients stay finite."""

import pytest
import torch
from mmengine.logging import MessageHub

from tests.models.methods import METHODS, batch, build

MIXED, LABELED, UNLABELED = [0, None, 0, None], [1, 1], [None, None]


def no_action(masks):
    return torch.zeros_like(masks)


def one_frame(masks):
    """Of the tube of each clip."""
    single = torch.zeros_like(masks)
    single[:, 3] = masks[:, 3]
    return single


def one_pixel(masks):
    single = torch.zeros_like(masks)
    single[:, 3, 5, 6] = 1
    return single


# labels (one class), what becomes of the masks, of the clips
KINDS = {
    'black clips without action': (MIXED, no_action, torch.zeros_like),
    'tubes of one frame': (MIXED, one_frame, torch.clone),
    'tubes of one pixel in white clips': (MIXED, one_pixel, torch.ones_like),
    'action everywhere, far too bright': (MIXED, torch.ones_like, lambda x: 1e4 * x),
    'black labelled clips without action': (LABELED, no_action, torch.zeros_like),
    'black unlabelled clips': (UNLABELED, torch.clone, torch.zeros_like),
}
FAST = list(KINDS)[:2]
FIRST, LAST = 0, 9  # epochs, of ten


@pytest.fixture
def begin():
    """Choose the epoch."""
    info = MessageHub.get_current_instance().runtime_info

    def at(epoch):
        info.update(epoch=epoch, max_epochs=10, iter=10 * epoch, max_iters=100)

    yield at
    info.clear()


def degenerate(name, kind):
    labels, change_masks, change_clips = KINDS[kind]
    inputs, samples = batch(name, labels)
    for sample in samples:
        if 'gt_mask' in sample:
            masks = change_masks(sample.gt_mask[None])
            sample.set_field(masks[0], 'gt_mask')
    return change_clips(inputs), samples


def check(name, kind):
    model = build(name)
    model.train()
    losses = model(*degenerate(name, kind), mode='loss')
    for key, value in losses.items():
        assert value.isfinite(), key
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), key
    for key, buffer in model.named_buffers():
        assert buffer.isfinite().all(), key


@pytest.mark.parametrize('epoch', [FIRST, LAST])
@pytest.mark.parametrize('kind', FAST)
@pytest.mark.parametrize('name', ['both', 'stable mean teacher'])
def test_nothing_to_learn_is_finite(begin, name, kind, epoch):
    begin(epoch)
    check(name, kind)


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', METHODS)
def test_every_method_is_finite_whatever_the_batch(begin, name, kind):
    begin(LAST)
    check(name, kind)
