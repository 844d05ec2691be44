"""Our network and the written-out one are the released one, and equal at any width."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope

from tests import golden_network as golden
from tests.helpers import ROOT, TINY_DETECTOR, make_batch
from tests.oracle_network import i3d, network


def written_out():
    state = golden.reference_state(golden.SEED + 60)

    def detect(clip):
        return (*i3d(state, clip, train=False), *network(state, clip, train=False))

    return detect


def ours():
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/reference/ucf24_semi_var.py')
    detector = MODELS.build(cfg.model).detector.double().eval()
    detector.load_state_dict(golden.network_state(golden.SEED + 60))

    def detect(clip):
        cross112, cross56, feature = detector.backbone(clip)
        out = detector(clip)
        acts = out.capsules.flatten(2).transpose(1, 2)
        return feature, cross56, cross112, out.mask[:, None], out.scores, acts

    return detect


@pytest.mark.slow
@pytest.mark.xdist_group('memory')
@pytest.mark.parametrize('build', [ours, written_out])
def test_inference_meets_the_reference(build):
    expected = golden.load('net_eval')
    clip = torch.from_numpy(golden.clips(golden.SEED + 61, 1)).double()
    with torch.no_grad():
        feature, cross56, cross112, logits, scores, acts = build()(clip)
    maps = dict(feat=feature, c56=cross56, c112=cross112, logits=logits, acts=acts)
    for name, values in maps.items():
        np.testing.assert_allclose(
            golden.stats(values), expected[f'{name}_stats'], 1e-12, 1e-12, err_msg=name
        )
        if name in ('feat', 'c56', 'c112'):
            assert tuple(values.shape) == tuple(expected[f'{name}_shape'])
    np.testing.assert_allclose(scores, expected['scores'], 0, 1e-13)
    parts = dict(
        feat_sub=feature[:, ::13, :, ::5, ::5],
        c56_sub=cross56[:, ::16, :, ::14, ::14],
        c112_sub=cross112[:, ::8, :, ::28, ::28],
        logits_sub=logits[:, :, :, ::8, ::8],
        logits_edge=logits[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]],
        acts_sub=acts[:, ::9],
    )
    for name, values in parts.items():
        # stored in float32: half a unit of its last place
        np.testing.assert_allclose(values, expected[name], 6e-8, 1e-12, err_msg=name)


@pytest.fixture
def tiny():
    """Our detector and the same weights by their released names."""
    cfg = dict(TINY_DETECTOR, warmup_epochs=2)
    cfg['backbone'] = dict(cfg['backbone'], bn_momentum=0.01)
    detector = MODELS.build(cfg).double()
    state = golden.reference_state(7, detector.state_dict())
    detector.load_state_dict(golden.network_state(7, detector.state_dict()))
    yield detector, state
    MessageHub.get_current_instance().update_info('epoch', 0)


def compare(ours, theirs):
    logits, scores, acts = theirs
    torch.testing.assert_close(ours.mask, logits[:, 0], rtol=0, atol=1e-11)
    torch.testing.assert_close(ours.scores, scores, rtol=0, atol=1e-13)
    capsules = ours.capsules.flatten(2).transpose(1, 2)
    torch.testing.assert_close(capsules, acts, rtol=0, atol=1e-13)


@pytest.mark.parametrize('size', [24, 40])
def test_our_inference_equals_it_at_other_sizes(tiny, size):
    detector, state = tiny
    clips = torch.rand(3, 3, 8, size, size, generator=torch.manual_seed(0)).double()
    with torch.no_grad():
        compare(detector.eval()(clips), network(state, clips, train=False))


@pytest.mark.parametrize('epoch', [2, 3])
def test_our_training_pass_equals_it_at_other_sizes(tiny, epoch):
    detector, state = tiny
    MessageHub.get_current_instance().update_info('epoch', epoch - 1)
    inputs, samples = make_batch([2, None, None])
    clips = inputs[:, 0].double()
    weights = {
        key: value.requires_grad_()
        for key, value in state.items()
        if value.is_floating_point() and 'running' not in key
    }
    theirs = network(
        state, clips, [2, 0, 0], [True, False, False], epoch, thresh_epoch=3
    )
    ours = detector.train().detect(clips, samples)
    compare(ours, theirs)
    ours_now = detector.state_dict()
    for key, value in state.items():
        if 'bn' in key and key not in weights:
            mine = ours_now[golden.our_name(key)]
            torch.testing.assert_close(mine, value, rtol=1e-13, atol=0, msg=key)
    (ours.mask.square().mean() + ours.scores[:, 0].sum()).backward()
    (theirs[0].square().mean() + theirs[1][:, 0].sum()).backward()
    parameters = dict(detector.named_parameters())
    for key, weight in weights.items():
        mine = parameters[golden.our_name(key)].grad.reshape(weight.shape)
        # some biases only shift what the next normalisation centres: noise about 0
        limit = 1e-9 * weight.grad.abs().max().item() + 1e-14
        torch.testing.assert_close(mine, weight.grad, rtol=0, atol=limit, msg=key)
