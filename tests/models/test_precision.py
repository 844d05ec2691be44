"""Mixed precision: losses and gradients stay finite, masks close, routing float32."""

import pytest
import torch
from mmaction.registry import MODELS

from tests.helpers import TINY_DETECTOR, make_batch

ATTENTION = [dict(type='CyclicVariance'), dict(type='GradientSmoothness')]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('implementation', ['plain', 'fast'])
def test_mixed_training_is_finite_and_its_masks_are_close(implementation, dtype):
    torch.manual_seed(0)
    head = dict(TINY_DETECTOR['head'], implementation=implementation)
    model = MODELS.build(
        dict(
            type='SemiDetector',
            detector=dict(TINY_DETECTOR, head=head),
            method=dict(
                type='SemiSupConsistency', attention=ATTENTION, class_weight=0.3
            ),
        )
    )
    batch = make_batch([0, None, 2, None])
    exact = model(*batch, mode='loss')
    routed = []
    model.detector.head.routing.register_forward_hook(
        lambda _, inputs, outputs: routed.append((inputs[0].dtype, outputs[0].dtype))
    )
    with torch.autocast('cpu', dtype):
        mixed = model(*batch, mode='loss')
    assert set(routed) == {(dtype, torch.float32)}
    # class scores of random weights depend on variances that bfloat16 cannot tell apart
    assert all(torch.isfinite(value) for value in mixed.values())
    for name in ('loss_mask_bce', 'loss_mask_dice'):
        assert mixed[name].item() == pytest.approx(exact[name].item(), rel=0.02), name
    sum(mixed.values()).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
