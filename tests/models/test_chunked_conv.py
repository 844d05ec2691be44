import pytest
import torch
from torch import nn

from ssvad.models.heads import chunked_conv
from ssvad.models.heads.chunked_conv import conv2d_in_chunks


@pytest.mark.parametrize('channels', [3, 4, 5, 9])
def test_chunks_are_the_layer_with_its_gradients(channels, monkeypatch):
    monkeypatch.setattr(chunked_conv, 'CHUNK', 4)
    layer = nn.Conv2d(6, channels, 3).double()
    x = torch.randn(2, 6, 7, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, channels, 5, 3, dtype=torch.float64)
    results = []
    for function in (layer, lambda x: conv2d_in_chunks(x, layer)):
        out = function(x)
        inputs = [x, *layer.parameters()]
        results.append([out, *torch.autograd.grad((out * weights).sum(), inputs)])
    for ours, theirs in zip(*results):
        torch.testing.assert_close(theirs, ours, rtol=1e-12, atol=1e-12)


def test_mixed_precision_leaves_it_to_the_layer():
    layer = nn.Conv2d(6, 8, 3)
    with torch.autocast('cpu', torch.bfloat16):
        assert conv2d_in_chunks(torch.randn(1, 6, 5, 5), layer).dtype == torch.bfloat16
