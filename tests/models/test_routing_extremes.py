"""Capsules at the ends of what numbers can hold, in full and in mixed precision."""

from contextlib import nullcontext

import pytest
import torch

from ssvad.models.heads.capsule_layers import ConvCapsules, PrimaryCapsules

# sizes of the features; biases of the activations' logits: all off, undecided, all on
FEATURES = {'none': 0.0, 'faint': 1e-7, 'usual': 1.0, 'large': 1e3}
BIASES = (-200.0, -30.0, -17.5, 0.0, 30.0)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def capsules(routing, implementation):
    torch.manual_seed(0)
    primary = PrimaryCapsules(6, 5, 2, 3, implementation)
    return primary, ConvCapsules(5, 3, 2, 3, 1, routing, implementation)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize(
    'kind', [('em', 'plain'), ('em', 'fast'), ('dynamic', 'plain')], ids=str
)
def test_routing_and_its_gradient_are_finite(kind, dtype):
    primary, layer = capsules(*kind)
    noise = torch.randn(2, 6, 5, 5)
    for size in FEATURES.values():
        for bias in BIASES:
            torch.nn.init.constant_(primary.activation.bias, bias)
            features = (size * noise).requires_grad_(True)
            mixed = torch.autocast('cpu', dtype)
            with nullcontext() if dtype is torch.float32 else mixed:
                pose, out = layer(*primary(features))
            assert pose.dtype == out.dtype == torch.float32
            assert pose.isfinite().all() and out.isfinite().all(), (size, bias)
            parameters = [*primary.parameters(), *layer.parameters()]
            loss = pose.mean() + out.sum()
            for gradient in torch.autograd.grad(loss, [features, *parameters]):
                assert gradient.isfinite().all(), (size, bias)


@pytest.mark.parametrize('dtype', DTYPES[1:])
def test_capsules_that_are_off_stay_apart_in_mixed_precision(dtype):
    primary, _ = capsules('em', 'plain')
    torch.nn.init.constant_(primary.activation.bias, -30.0)
    features = torch.randn(1, 6, 5, 5)
    with torch.autocast('cpu', dtype):
        _, activation = primary(features)
    exact = primary(features)[1]
    assert (activation > 0).all()
    torch.testing.assert_close(activation.log(), exact.log(), rtol=0.02, atol=0)
