"""The fast arrangement of the head is the plain one, to rounding in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ssvad.models import CapsuleRoutingHead
from ssvad.models.heads import fast_routing
from ssvad.models.heads.decoder_tail import smooth_upsampled
from ssvad.models.heads.routing import em_routing


def compare(plain, fast, inputs):
    """Largest difference of outputs and of gradients with respect to ``inputs``."""
    results = []
    for function in (plain, fast):
        torch.manual_seed(0)
        outputs = function()
        weights = [torch.randn_like(out) for out in outputs]
        total = sum((out * w).sum() for out, w in zip(outputs, weights))
        results.append([*outputs, *torch.autograd.grad(total, inputs)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(theirs, ours, rtol=1e-9, atol=1e-10)


def tail(channels, middle, seed):
    torch.manual_seed(seed)
    up = nn.ConvTranspose3d(channels, middle, 3, 2, 1, 1).double()
    smooth = nn.ConvTranspose3d(middle, 1, 3, padding=1).double()
    return up, smooth


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    batch=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    p=st.sampled_from([0.0, 0.5]),
)
def test_tail_is_exact_up_to_its_borders(seed, batch, sizes, p):
    up, smooth = tail(3, 4, seed)
    x = torch.randn(batch, 3, *sizes, dtype=torch.float64, requires_grad=True)
    keep = (torch.rand(batch, 4) >= p).double() / (1 - p)

    def plain():
        return [smooth(up(x) * keep[:, :, None, None, None])[:, 0]]

    def fast():
        return [smooth_upsampled(x, up, smooth, keep)]

    compare(plain, fast, [x, *up.parameters(), *smooth.parameters()])


def test_one_set_of_factors_serves_the_batch():
    up, smooth = tail(3, 4, 0)
    x, keep = torch.randn(2, 3, 2, 3, 2).double(), torch.rand(1, 4).double()
    each = smooth_upsampled(x, up, smooth, keep.expand(2, 4))
    torch.testing.assert_close(smooth_upsampled(x, up, smooth, keep), each)


def test_tail_sums_in_float32_under_autocast():
    up, smooth = (layer.float() for layer in tail(16, 16, 0))
    x = torch.randn(1, 16, 2, 4, 4)
    exact = smooth_upsampled(x, up, smooth, torch.ones(1, 16))
    with torch.autocast('cpu', torch.bfloat16):
        half = smooth_upsampled(x.bfloat16(), up, smooth, torch.ones(1, 16))
    assert half.dtype == torch.float32
    torch.testing.assert_close(
        half, exact, rtol=0, atol=0.02 * exact.abs().max().item()
    )


@pytest.mark.parametrize('positions', [1, 31, 32, 33, 65])
@pytest.mark.parametrize('iterations', [1, 3])
def test_routing_by_chunks_is_exact(positions, iterations):
    torch.manual_seed(positions)
    poses = torch.randn(positions, 5, 4, 4).double()
    activation = torch.rand(positions, 5).double()
    transform, beta_u = torch.randn(5, 3, 4, 4).double(), torch.randn(3, 16).double()
    beta_a = torch.randn(3).double()
    inputs = [poses, activation, transform, beta_u, beta_a]
    for tensor in inputs:
        tensor.requires_grad_()

    def plain():
        votes = torch.einsum('nipq,ikqr->nikpr', poses, transform).flatten(-2)
        return em_routing(votes, activation, beta_u, beta_a, iterations)

    def fast():
        return fast_routing.em_routing_by_chunks(*inputs, iterations)

    compare(plain, fast, inputs)
    with torch.no_grad():
        torch.testing.assert_close(plain(), fast())


def heads(**kwargs):
    """A head in both implementations with the same weights."""
    pair = []
    for implementation in ('plain', 'fast'):
        torch.manual_seed(0)
        head = CapsuleRoutingHead(
            3, (4, 6, 8), 5, 4, 3, 4, implementation=implementation, **kwargs
        )
        pair.append(head.double())
    return pair


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('size', [(1, 4, 3), (2, 3, 5)])
def test_heads_agree_with_the_same_dropout_and_gradients(training, size):
    plain, fast = heads(dropout=0.5)
    plain.train(training), fast.train(training)
    t, h, w = size
    features = [
        torch.randn(2, c, s * t, s * h, s * w, dtype=torch.float64, requires_grad=True)
        for c, s in ((4, 4), (6, 2), (8, 1))
    ]
    labels = torch.tensor([1, -1]) if training else None
    results = []
    for head in (plain, fast):
        torch.manual_seed(1)
        out = head(features, labels)
        loss = out.mask.square().sum() + (out.capsules * out.capsules).sum()
        gradients = torch.autograd.grad(loss, [*features, *head.parameters()])
        results.append([*out, *gradients])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(theirs, ours, rtol=1e-8, atol=1e-9)


def test_checkpoints_do_not_know_the_implementation():
    plain, fast = heads()
    fast.load_state_dict(plain.state_dict(), strict=True)
    assert list(plain.state_dict()) == list(fast.state_dict())


def test_unknown_implementation_is_refused():
    with pytest.raises(ValueError, match="'fast' or 'plain', got 'quick'"):
        CapsuleRoutingHead(3, (4, 6, 8), implementation='quick')
