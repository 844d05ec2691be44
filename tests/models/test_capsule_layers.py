import numpy as np
import pytest
import torch

from ssvad.models.heads.capsule_layers import ConvCapsules, PrimaryCapsules
from ssvad.models.heads.routing import dynamic_routing, em_routing
from tests import golden_network as golden
from tests.oracles import dynamic_routing_loops, em_routing_loops

CASES = {  # name: (I, K, kernel size, iterations, scale of the poses)
    'i1': (32, 24, 1, 1, 1),
    'i2': (32, 24, 1, 2, 1),
    'i3': (32, 24, 1, 3, 1),
    'i3_s4': (32, 24, 1, 3, 4),
    'c21': (32, 21, 1, 3, 1),
    'k3': (8, 6, 3, 3, 1),
}


def reference_routing(name):
    types, classes, kernel, iterations, _ = CASES[name]
    shapes = [
        ('beta_u', (classes, 16)),
        ('beta_a', (classes,)),
        ('weights', (1, kernel**2 * types, classes, 4, 4)),
    ]
    state = golden.fill_state(shapes, golden.SEED + 10)
    layer = ConvCapsules(types, classes, 4, iterations, kernel).double()
    layer.load_state_dict(
        dict(
            beta_u=torch.from_numpy(state['beta_u']),
            beta_a=torch.from_numpy(state['beta_a']),
            transform=torch.from_numpy(state['weights'][0]),
        )
    )
    return layer


@pytest.mark.parametrize('name', CASES)
def test_routing_meets_the_reference(name):
    types, classes, *_, scale = CASES[name]
    data = golden.load('conv_caps')
    layer = reference_routing(name)
    poses, activation = golden.capsules(golden.SEED + 11, 2, 5, 5, types, scale)
    poses.requires_grad_(), activation.requires_grad_()
    mean, out = layer(poses, activation)
    flat = torch.cat([mean.flatten(1, 2), out], 1).movedim(1, -1)
    expected = data[f'{name}_out']
    size = classes * 16
    atol = 1e-6 * np.abs(expected[..., :size]).max()
    np.testing.assert_allclose(flat[..., :size].detach(), expected[..., :size], 0, atol)
    np.testing.assert_allclose(flat[..., size:].detach(), expected[..., size:], 0, 1e-6)

    weight = np.random.RandomState(golden.SEED + 12).standard_normal(expected.shape)
    weight = torch.from_numpy(weight.astype(np.float32)).double()
    (flat * weight).sum().backward()
    gradients = dict(
        gx_pose_sub=poses.grad.movedim(1, -1)[..., ::13],
        gx_act=activation.grad.movedim(1, -1),  # small: it cancels in the routing
        g_beta_u=layer.beta_u.grad,
        g_beta_a=layer.beta_a.grad,
        g_weights_sub=layer.transform.grad.flatten()[::5],
    )
    for key, ours in gradients.items():
        theirs = data[f'{name}_{key}']
        limit = 1e-5 * np.abs(theirs).max()
        np.testing.assert_allclose(
            ours.reshape(theirs.shape), theirs, 0, limit, err_msg=key
        )


def test_routing_equals_loops():
    rng = np.random.RandomState(0)
    votes, activation = rng.randn(3, 4, 5, 16), rng.rand(3, 4)
    beta_u, beta_a = rng.randn(5, 16), rng.randn(5)
    ours = em_routing(*map(torch.from_numpy, (votes, activation, beta_u, beta_a)))
    for n in range(3):
        mean, out = em_routing_loops(votes[n], activation[n], beta_u, beta_a, 3)
        np.testing.assert_allclose(ours[0][n], mean, atol=1e-10)
        np.testing.assert_allclose(ours[1][n], out, atol=1e-10)


def test_dynamic_routing_equals_loops():
    rng = np.random.RandomState(0)
    votes, activation = rng.randn(3, 4, 5, 16), rng.rand(3, 4)
    ours = dynamic_routing(torch.from_numpy(votes), torch.from_numpy(activation))
    for n in range(3):
        pose, length = dynamic_routing_loops(votes[n], activation[n], 3)
        np.testing.assert_allclose(ours[0][n], pose, atol=1e-7)
        np.testing.assert_allclose(ours[1][n], length, atol=1e-7)


def test_capsules_that_agree_win_in_dynamic_routing():
    votes = torch.randn(1, 6, 2, 16, generator=torch.manual_seed(0))
    votes[:, :, 1] = votes[:, :1, 1]  # all inputs vote alike for the second output
    _, length = dynamic_routing(votes, torch.ones(1, 6))
    assert length[0, 1] > length[0, 0] and length.max() < 1


def test_unknown_routing_is_refused():
    with pytest.raises(ValueError, match="'em' or 'dynamic', got 'mean'"):
        ConvCapsules(2, 3, 4, 3, routing='mean')


def test_routing_is_independent_of_position_and_clip():
    layer = ConvCapsules(8, 5, 4, 3).double()
    poses, activation = (
        torch.randn(2, 8 * 16, 3, 4).double(),
        torch.rand(2, 8, 3, 4).double(),
    )
    mean, out = layer(poses, activation)
    single, single_out = layer(poses[1:, :, 2:, 1:2], activation[1:, :, 2:, 1:2])
    torch.testing.assert_close(mean[1:, :, :, 2:, 1:2], single)
    torch.testing.assert_close(out[1:, :, 2:, 1:2], single_out)


def test_routing_stays_in_float32_under_autocast():
    layer = ConvCapsules(8, 5, 4, 3)
    poses, activation = torch.randn(1, 8 * 16, 3, 4), torch.rand(1, 8, 3, 4)
    plain = layer(poses, activation)
    with torch.autocast('cpu', torch.bfloat16):
        mixed = layer(poses, activation)
    assert mixed[0].dtype == torch.float32
    torch.testing.assert_close(plain, mixed)


def reference_primary_capsules(config, seed):
    layer = PrimaryCapsules(*config)
    names = {'pose.weight': 'pose.weight', 'pose.bias': 'pose.bias'}
    names.update({'a.weight': 'activation.weight', 'a.bias': 'activation.bias'})
    own = layer.state_dict()
    shapes = [(key, tuple(own[name].shape)) for key, name in names.items()]
    state = golden.fill_state(shapes, seed)
    layer.load_state_dict(
        {name: torch.from_numpy(state[key]) for key, name in names.items()}
    )
    return layer.double()


def channels_last(layer, x):
    with torch.no_grad():
        return torch.cat(layer(torch.from_numpy(x).double()), 1).movedim(1, -1)


def test_primary_capsules_meet_the_reference():
    data = golden.load('primary_caps')
    channels, types, kernel, pose, size, count = data['small_cfg'].tolist()
    layer = reference_primary_capsules((channels, types, pose, kernel), golden.SEED + 1)
    rng = np.random.RandomState(golden.SEED + 2)
    x = rng.standard_normal((count, channels, size, size)).astype(np.float32)
    np.testing.assert_allclose(channels_last(layer, x), data['small_out'], 0, 1e-6)


@pytest.mark.slow
def test_primary_capsules_of_full_size_meet_the_reference():
    data = golden.load('primary_caps')
    layer = reference_primary_capsules((832, 32, 4, 9), golden.SEED + 3)
    rng = np.random.RandomState(golden.SEED + 4)
    x = np.abs(rng.standard_normal((1, 832, 28, 28))).astype(np.float32)
    ours = channels_last(layer, x)
    assert tuple(ours.shape) == tuple(data['full_shape'])
    sub = ours[:, ::4, ::4, ::7]
    np.testing.assert_allclose(sub, data['full_sub'], 1e-7, 1e-10)
    np.testing.assert_allclose(golden.stats(ours), data['full_stats'], 1e-12)
