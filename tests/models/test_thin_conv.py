import pytest
import torch
import torch.nn.functional as F

from ssvad.models import thin_conv
from ssvad.models.thin_conv import conv3d_of_3


def inputs(frames, layout=torch.contiguous_format):
    generator = torch.manual_seed(frames)
    x = torch.randn(2, 3, frames, 6, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, 3, generator=generator, dtype=torch.float64)
    bias = torch.randn(4, generator=generator, dtype=torch.float64)
    x = x.to(memory_format=layout)
    return [tensor.requires_grad_() for tensor in (x, weight, bias)]


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('frames', [1, 2, 3])
def test_it_is_the_convolution_with_its_gradients(frames, with_bias, layout):
    given = inputs(frames, layout)[: 3 if with_bias else 2]
    expected, ours = F.conv3d(*given, padding=1), conv3d_of_3(*given)
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    gradients = [
        torch.autograd.grad((out * weights).sum(), given) for out in (ours, expected)
    ]
    for gradient, truth in zip(*gradients):
        torch.testing.assert_close(gradient, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(('frames', 'flat'), [(1, True), (2, True), (3, False)])
def test_two_dimensions_are_used_where_frames_are_few(frames, flat, monkeypatch):
    calls = []
    monkeypatch.setattr(thin_conv.F, 'conv3d', lambda *_, **__: calls.append('3d'))
    conv3d_of_3(*inputs(frames))
    with torch.no_grad():
        conv3d_of_3(*inputs(frames))
    assert len(calls) == (1 if flat else 2)
