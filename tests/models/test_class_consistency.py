import numpy as np
import pytest
import torch

from ssvad.models.losses.class_consistency import class_jsd, class_kl


def test_divergence_is_symmetric_bounded_and_zero_on_itself():
    p, q = torch.rand(2, 3, 5, 2, 2)
    assert class_jsd(p, q) == class_jsd(q, p)
    assert class_jsd(p, 3 * p).item() == pytest.approx(0, abs=1e-6)
    one, two = torch.eye(2)[:, None]
    assert class_jsd(one, two).item() == pytest.approx(np.log(2), abs=1e-5)


def test_divergence_equals_its_definition():
    first, second = np.random.RandomState(0).rand(2, 3, 5, 2, 2)
    total = 0.0
    for b in range(3):
        for y in range(2):
            for x in range(2):
                p, q = (z[b, :, y, x] / z[b, :, y, x].sum() for z in (first, second))
                m = (p + q) / 2
                total += 0.5 * (p * np.log(p / m) + q * np.log(q / m)).sum()
    ours = class_jsd(torch.from_numpy(first), torch.from_numpy(second))
    assert ours.item() == pytest.approx(total / 12, rel=1e-9)


def test_released_divergence_takes_activations_as_they_are():
    first, second = np.random.RandomState(0).rand(2, 3, 5, 2, 2)
    f, g = first + 1e-7, second + 1e-7
    expected = (f * np.log(f / g) + g * np.log(g / f)).sum(1).mean()
    ours = class_kl(torch.from_numpy(first), torch.from_numpy(second))
    assert ours.item() == pytest.approx(expected, rel=1e-9)


def test_each_direction_of_the_released_divergence_moves_one_side():
    first, second = torch.rand(2, 3, 5, 2, 2, dtype=torch.float64).unbind(0)
    first.requires_grad_(), second.requires_grad_()
    class_kl(first, second).backward()
    # d/dx of -t log x is -t / x, averaged over 3 * 2 * 2 positions
    f, g = first.detach() + 1e-7, second.detach() + 1e-7
    torch.testing.assert_close(first.grad, -g / f / 12)
    torch.testing.assert_close(second.grad, -f / g / 12)
