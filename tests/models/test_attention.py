import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.models.losses.attention import (
    CyclicVariance,
    GradientSmoothness,
    class_jsd,
    cyclic_variance,
    temporal_curvature,
    unit_range,
)
from tests import golden_network as golden
from tests.oracles import curvature_loops, cyclic_variance_loops


def reference_views():
    out = torch.from_numpy(golden.logits(golden.SEED + 20, 2)).double()
    aug = torch.from_numpy(golden.logits(golden.SEED + 21, 2)).double()
    return out, aug.flip(-1)


@pytest.mark.parametrize('window', [3, 5])
@pytest.mark.parametrize('kind', ['raw', 'sig'])
def test_cyclic_variance_meets_the_reference(window, kind):
    out, aligned = reference_views()
    if kind == 'sig':
        out, aligned = out.sigmoid(), aligned.sigmoid()
    ours = unit_range(cyclic_variance(out, aligned, window))[..., ::12, ::12]
    expected = golden.load('consistency_masks')[f'var_n{window}_{kind}']
    np.testing.assert_allclose(ours, expected.reshape(ours.shape), 0, 2e-6)


def test_signed_curvature_meets_the_reference():
    data = golden.load('consistency_masks')
    out, _ = reference_views()
    case = next(k for k, t in enumerate(data['grad_thresholds']) if np.isnan(t).all())
    ours = unit_range(temporal_curvature(out.sigmoid()))[..., ::12, ::12]
    np.testing.assert_allclose(ours, data[f'grad_{case}'].reshape(ours.shape), 0, 2e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16), frames=st.integers(4, 9), window=st.sampled_from([3, 5])
)
def test_maps_equal_loops(seed, frames, window):
    rng = np.random.RandomState(seed)
    first, second = rng.randn(2, frames, 3, 4)
    ours = unit_range(
        cyclic_variance(*(torch.from_numpy(x)[None] for x in (first, second)), window)
    )
    loops = cyclic_variance_loops(first, second, window)
    np.testing.assert_allclose(ours[0], loops, atol=1e-12)
    curvature = temporal_curvature(torch.from_numpy(first)[None])[0]
    np.testing.assert_allclose(curvature, curvature_loops(first), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_variance_does_not_know_the_direction_of_time(seed):
    first, second = torch.randn(2, 3, 8, 4, 4, generator=torch.manual_seed(seed))
    forward = cyclic_variance(first, second, 5)
    backward = cyclic_variance(first.flip(1), second.flip(1), 5).flip(1)
    torch.testing.assert_close(forward, backward, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('attention', [CyclicVariance(), GradientSmoothness()])
def test_attention_is_a_constant_in_unit_range(attention):
    first, second = torch.randn(2, 2, 8, 6, 6, requires_grad=True)
    maps = attention(first, second)
    assert not maps.requires_grad
    assert maps.amin((1, 2, 3)).tolist() == [0, 0]
    np.testing.assert_allclose(maps.amax((1, 2, 3)), 1, atol=1e-5)


def test_static_predictions_attract_no_attention():
    still = torch.randn(1, 1, 6, 6).expand(1, 8, 6, 6)
    assert CyclicVariance()(still, still).abs().max() < 1e-3
    assert GradientSmoothness()(still, still).abs().max() < 1e-3


@pytest.mark.parametrize('window', [1, 4, 15])
def test_bad_windows_are_refused(window):
    maps = torch.zeros(1, 8, 2, 2)
    with pytest.raises(ValueError, match=f'odd and between 3 and 14.*got {window}'):
        cyclic_variance(maps, maps, window)


def test_divergence_is_symmetric_bounded_and_zero_on_itself():
    p, q = torch.rand(2, 3, 5, 2, 2)
    assert class_jsd(p, q) == class_jsd(q, p)
    assert class_jsd(p, 3 * p).item() == pytest.approx(0, abs=1e-6)
    one, two = torch.eye(2)[:, None]
    assert class_jsd(one, two).item() == pytest.approx(np.log(2), abs=1e-5)
