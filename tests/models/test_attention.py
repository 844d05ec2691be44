import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.models.losses.attention import (
    CyclicVariance,
    GradientSmoothness,
    TemporalVariance,
    cyclic_variance,
    read_out,
    temporal_curvature,
    temporal_variance,
    unit_range,
)
from tests import golden_network as golden
from tests.oracles import (
    curvature_loops,
    cyclic_variance_loops,
    temporal_variance_loops,
)


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
    own = temporal_variance(torch.from_numpy(first)[None], window)[0]
    np.testing.assert_allclose(own, temporal_variance_loops(first, window), atol=1e-12)
    curvature = temporal_curvature(torch.from_numpy(first)[None])[0]
    np.testing.assert_allclose(curvature, curvature_loops(first), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_variance_does_not_know_the_direction_of_time(seed):
    first, second = torch.randn(2, 3, 8, 4, 4, generator=torch.manual_seed(seed))
    forward = cyclic_variance(first, second, 5)
    backward = cyclic_variance(first.flip(1), second.flip(1), 5).flip(1)
    torch.testing.assert_close(forward, backward, rtol=1e-4, atol=1e-6)


ATTENTIONS = [
    CyclicVariance(),
    CyclicVariance(on='probabilities'),
    TemporalVariance(),
    GradientSmoothness(),
    GradientSmoothness(signed=True, thresholds=(0.3, 0.7)),
]


@pytest.mark.parametrize('attention', ATTENTIONS)
def test_attention_is_a_constant_in_unit_range(attention):
    first, second = torch.randn(2, 2, 8, 6, 6, requires_grad=True)
    maps = attention(first, second)
    assert not maps.requires_grad
    assert maps.amin((1, 2, 3)).tolist() == [0, 0]
    np.testing.assert_allclose(maps.amax((1, 2, 3)), 1, atol=1e-5)


def test_static_predictions_attract_no_attention():
    still = torch.randn(1, 1, 6, 6).expand(1, 8, 6, 6)
    for attention in (CyclicVariance(), TemporalVariance(), GradientSmoothness()):
        assert attention(still, still).abs().max() < 1e-3


def test_released_variance_counts_the_same_map_twice():
    first, second = torch.randn(2, 2, 8, 4, 4)
    once = CyclicVariance()(first, second)
    twice = CyclicVariance(both_directions=True)(first, second)
    anticlockwise = CyclicVariance()(first.flip(1), second.flip(1)).flip(1)
    torch.testing.assert_close(twice, once + anticlockwise)


def test_released_gradient_gives_every_clip_the_mean_map():
    first = torch.randn(3, 8, 4, 4)
    own = GradientSmoothness(signed=True)(first, first)
    shared = GradientSmoothness(signed=True, batch_mean=True)(first, first)
    for clip in shared:
        torch.testing.assert_close(clip, own.mean(0))


def test_sign_decides_where_downward_bends_rank():
    bend = torch.tensor([-4.0, -4, -4, 4, 4, 4, -4, -4]).view(1, 8, 1, 1)
    curvature = temporal_curvature(bend.sigmoid())[0, :, 0, 0]
    down = curvature.argmin().item()
    assert GradientSmoothness(signed=True)(bend, bend)[0, down] == 0
    assert GradientSmoothness()(bend, bend)[0, down] > 0.9


def test_readings_are_checked():
    with pytest.raises(ValueError, match="'logits' or 'probabilities', got 'masks'"):
        read_out(torch.zeros(1), 'masks')


@pytest.mark.parametrize('window', [1, 4, 17])
def test_bad_own_windows_are_refused(window):
    with pytest.raises(ValueError, match=f'odd and between 3 and 15.*got {window}'):
        temporal_variance(torch.zeros(1, 8, 2, 2), window)


@pytest.mark.parametrize('window', [1, 4, 15])
def test_bad_windows_are_refused(window):
    maps = torch.zeros(1, 8, 2, 2)
    with pytest.raises(ValueError, match=f'odd and between 3 and 14.*got {window}'):
        cyclic_variance(maps, maps, window)
