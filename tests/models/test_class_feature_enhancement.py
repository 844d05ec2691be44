"""Queues and differential attention of CEPM, position by position."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssvad.models import ClassFeatureEnhancement
from ssvad.models.semi import class_feature_enhancement as cfe

SIZES = dict(num_classes=3, channels=8, positions=5)
puts = st.lists(
    st.lists(st.integers(-1, 2), min_size=1, max_size=6), min_size=1, max_size=6
)


@given(puts, st.integers(1, 4))
def test_queues_hold_the_last_maps_of_each_class(batches, size):
    queues = cfe.ClassQueues(3, size, positions=2, channels=1)
    seen, number = {label: [] for label in range(3)}, 0
    for labels in batches:
        maps = torch.arange(number, number + len(labels)).float()
        number += len(labels)
        queues.put(maps[:, None, None].expand(-1, 2, 1), torch.tensor(labels))
        for value, label in zip(maps.tolist(), labels):
            if label >= 0:
                seen[label].append(value)
    for label, values in seen.items():
        held = queues.of_class(label)
        assert sorted(held[:, 0, 0].tolist()) == values[-size:]
        assert torch.equal(held[:, 0], held[:, 1])


def test_queues_of_all_processes_get_the_maps_of_all(monkeypatch):
    other = iter([torch.full((2, 5, 8), 7.0).half(), torch.tensor([1, -1])])
    monkeypatch.setattr(cfe, 'all_gather', lambda x: [x, next(other)])
    queues = cfe.ClassQueues(3, 4, 5, 8)
    queues.put(torch.ones(2, 5, 8), torch.tensor([-1, 1]))
    assert queues.of_class(1)[:, 0, 0].tolist() == [1, 7]
    assert queues.count.tolist() == [0, 2, 0]


def linear(layer, x):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def normal(layer, x):
    centred = x - x.mean(-1, keepdims=True)
    x = centred / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return x * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def attention_by_hand(layer, x, maps):
    count, positions, channels = maps.shape
    query = linear(layer.query, normal(layer.query_norm, x))
    keys, values = linear(layer.keys, maps), linear(layer.values, maps)
    first = normal(layer.key_norms[0], keys[..., :channels])
    second = normal(layer.key_norms[1], keys[..., channels:])
    gates, shares = [], []
    for n in range(count):
        pair = np.concatenate([query.mean(0), first[n].mean(0)])
        hidden = np.tanh(linear(layer.subtracted[0], pair))
        gates.append(sigmoid(linear(layer.subtracted[2], hidden))[0])
        shares.append(sigmoid(linear(layer.first_value, pair)))
    out = np.zeros_like(x)
    for p in range(positions):
        logits = [
            (query[p] @ first[n, p] - gates[n] * (query[p] @ second[n, p]))
            / np.sqrt(channels)
            for n in range(count)
        ]
        weights = np.exp(logits) / np.exp(logits).sum()
        for n in range(count):
            value = (
                shares[n] * values[n, p, :channels]
                + (1 - shares[n]) * values[n, p, channels:]
            )
            out[p] += weights[n] * value
    return x + linear(layer.out, out)


def rough(module):
    """Weights of which every detail shows in the output."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return module.double()


def test_attention_equals_its_formula():
    fusion = rough(ClassFeatureEnhancement(**SIZES, queue_size=4))
    torch.manual_seed(1)
    fusion.queues.put(torch.randn(6, 5, 8).double(), torch.tensor([1, 0, 1, 1, -1, 0]))
    maps = torch.randn(3, 5, 8).double()
    fused = fusion(maps, torch.tensor([1, 2, 0])).detach().numpy()
    for row, label in ((0, 1), (2, 0)):
        expected = maps[row].numpy()
        for layer in fusion.layers:
            others = fusion.queues.of_class(label).numpy()
            expected = attention_by_hand(layer, expected, others)
        np.testing.assert_allclose(fused[row], expected, rtol=1e-9)
    assert torch.equal(torch.from_numpy(fused[1]), maps[1])  # its queue is empty


def test_one_map_is_not_enough_to_compare():
    fusion = ClassFeatureEnhancement(**SIZES)
    maps = torch.randn(1, 5, 8)
    for count in (1, 2):
        fusion.queues.put(torch.randn(1, 5, 8), torch.tensor([0]))
        kept = torch.equal(fusion(maps, torch.tensor([0])), maps)
        assert kept == (count == 1)


def test_new_attention_subtracts_little():
    layer = cfe.DifferentialCrossAttention(16)
    pair = torch.randn(4, 32)
    share = layer.subtracted(pair).sigmoid()
    assert share.detach().numpy() == pytest.approx(0.269, abs=0.01)
