import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssvad.models import I3D
from ssvad.models.backbones.i3d import ENDPOINTS
from ssvad.models.backbones.same_padding import (
    SameMaxPool3d,
    pad,
    same_pads,
    shifted_max_pool3d,
)

TAPS = ('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f')


@given(
    size=st.integers(1, 20), kernel=st.integers(1, 7), stride=st.sampled_from([1, 2, 3])
)
def test_same_padding_gives_ceil_of_size_over_stride(size, kernel, stride):
    x = torch.zeros(1, 1, size, 1, 1)
    (pads, *_) = same_pads(x, (kernel, 1, 1), (stride, 1, 1))
    if kernel >= stride:
        assert (size + sum(pads) - kernel) // stride + 1 == -(-size // stride)


def test_same_padding_puts_the_odd_pixel_last():
    x = torch.ones(1, 1, 4, 1, 1)
    pads = same_pads(x, (3, 1, 1), (2, 1, 1))
    assert pads == [(0, 1), (0, 0), (0, 0)]
    assert pad(x, pads).flatten().tolist() == [1, 1, 1, 1, 0]


@given(
    seed=st.integers(0, 2**16),
    kernel=st.tuples(*[st.integers(1, 3)] * 3),
    stride=st.tuples(*[st.integers(1, 2)] * 3),
)
def test_pooling_is_that_of_a_padded_copy_with_and_without_gradients(
    seed, kernel, stride
):
    x = torch.randn(2, 3, 5, 6, 7, generator=torch.manual_seed(seed)).relu()
    padded = pad(x, same_pads(x, kernel, stride))
    expected = torch.nn.functional.max_pool3d(padded, kernel, stride)
    assert torch.equal(shifted_max_pool3d(padded, kernel, stride), expected)
    pool = SameMaxPool3d(kernel, stride)
    if all(k >= s for k, s in zip(kernel, stride)):
        assert torch.equal(pool(x), expected)
        with torch.no_grad():
            assert torch.equal(pool(x), expected)
        assert torch.equal(SameMaxPool3d(kernel, stride, 'plain')(x), expected)


def test_taps_have_the_reference_shapes():
    net = I3D(out_endpoints=TAPS).eval()
    with torch.no_grad():
        taps = net(torch.zeros(1, 3, 8, 64, 64))
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (64, 4, 32, 32),
        (192, 2, 16, 16),
        (832, 1, 8, 8),
    ]
    assert sum(p.numel() for p in net.parameters()) == 7_528_256


def test_one_endpoint_gives_a_tensor_and_builds_no_more_than_needed():
    net = I3D(out_endpoints=('Mixed_3b',), width=0.25)
    assert isinstance(net(torch.zeros(1, 3, 8, 32, 32)), torch.Tensor)
    assert not any(name.startswith('Mixed_4') for name, _ in net.named_parameters())


def test_classification_strides():
    net = I3D(
        ('Mixed_5c',),
        conv2c_stride=(1, 1, 1),
        pool4a_stride=(2, 2, 2),
        width=0.125,
    ).eval()
    shape = net(torch.zeros(1, 3, 16, 64, 64)).shape
    assert tuple(shape) == (1, 128, 2, 2, 2)


@pytest.mark.parametrize('endpoints', [(), ('Mixed_9z',)])
def test_unknown_endpoints_are_refused(endpoints):
    with pytest.raises(ValueError, match='expected names from'):
        I3D(out_endpoints=endpoints)


def test_every_endpoint_can_be_the_last():
    x = torch.rand(1, 3, 8, 32, 32)
    with torch.no_grad():
        for name in ENDPOINTS:
            out = I3D((name,), width=0.0625)(x)
            assert np.isfinite(out.numpy()).all(), name


def run_training_pass(frames=8, **kwargs):
    """Output, gradients and statistics of one training pass."""
    torch.manual_seed(0)
    net = I3D(TAPS, width=0.125, **kwargs).double()
    x = torch.rand(2, 3, frames, 32, 32, dtype=torch.float64, requires_grad=True)
    taps = net(x)
    sum(tap.square().sum() for tap in taps).backward()
    gradients = [x.grad, *(p.grad for p in net.parameters())]
    return [*taps, *gradients, *net.buffers()]


def test_checkpointing_changes_neither_gradients_nor_statistics():
    for ours, theirs in zip(run_training_pass(with_cp=True), run_training_pass()):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_checkpointing_keeps_less():
    kept = {}
    for with_cp in (False, True):
        net = I3D(TAPS, width=0.125, with_cp=with_cp)
        sizes = []

        def pack(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            net(torch.rand(1, 3, 8, 32, 32))
        kept[with_cp] = sum(sizes)
    assert kept[True] < 0.5 * kept[False]


def test_layout_of_channels_does_not_change_the_function():
    for ours, theirs in zip(run_training_pass(channels_last=True), run_training_pass()):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    taps = I3D(TAPS, width=0.125, channels_last=True)(torch.rand(1, 3, 8, 32, 32))
    assert taps[0].is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize('frames', [8, 16, 24])
def test_fast_implementation_is_the_plain_one(frames):
    plain = run_training_pass(frames, implementation='plain')
    for ours, theirs in zip(run_training_pass(frames), plain):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_unknown_implementation_is_refused():
    with pytest.raises(ValueError, match="'fast' or 'plain', got 'quick'"):
        I3D(TAPS, implementation='quick')
