"""Backbones of MMAction2 under the mask head: maps, weights, a training step."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from ssvad.models.backbones.adapted import grow, shrink
from tests.helpers import ROOT, make_batch

DETECTOR = 'model.detector.'
SMALL_HEAD = {
    'num_classes': 3,
    'in_channels': (4, 8, 12),
    'num_capsules': 4,
    'kernel_size': 3,
    'decoder_channels': 4,
    'dropout': 0.0,
}
# what makes the config of the same name small: backbone, channels of its maps
SMALL = {
    'slowonly': (dict(depth=18, base_channels=4), (4, 4, 16)),
    'slowfast': (
        {
            'channel_ratio': 4,
            'slow_pathway.depth': 18,
            'slow_pathway.base_channels': 16,
            'fast_pathway.depth': 18,
            'fast_pathway.base_channels': 4,
        },
        (20, 20, 80),
    ),
    'x3d': (dict(gamma_w=0.34, gamma_d=0.5), (8, 8, 144)),
    'swin': (
        dict(
            arch=dict(embed_dims=6, depths=[1, 2, 1], num_heads=[1, 2, 3]),
            window_size=(8, 4, 4),
            drop_path_rate=0.0,
        ),
        (6, 12, 24),
    ),
}
PATHS = ('slow', 'fast')


def small_config(name):
    """A config of configs/backbones with a network of a few thousand weights."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / f'configs/backbones/ucf24_semi_var_{name}.py')
    backbone, in_channels = SMALL[name]
    options = {f'backbone.backbone.{key}': value for key, value in backbone.items()}
    options['backbone.in_channels'] = in_channels
    options['backbone.channels'] = SMALL_HEAD['in_channels']
    options.update({f'head.{key}': value for key, value in SMALL_HEAD.items()})
    cfg.merge_from_dict({DETECTOR + key: value for key, value in options.items()})
    return cfg.model


def built(name):
    torch.manual_seed(0)
    return MODELS.build(small_config(name))


@pytest.mark.parametrize('name', SMALL)
def test_a_training_step_reaches_the_whole_network(name):
    model = built(name).train()
    inputs, samples = make_batch([1, None, 2, None])
    losses = model(inputs, samples, mode='loss')
    total, _ = model.parse_losses(losses)
    assert torch.isfinite(total) and {'loss_cls', 'loss_cons_mask'} <= losses.keys()
    total.backward()
    # what a graph does not reach stops training on several GPUs; biases before a
    # normalisation and the like may be zero, most are not
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without == []
    grads = [p.grad for n, p in model.named_parameters() if 'backbone.backbone' in n]
    assert all(torch.isfinite(grad).all() for grad in grads)
    reached = [bool(grad.abs().max() > 0) for grad in grads]
    assert sum(reached) > 0.9 * len(reached)
    before = copy.deepcopy(model.state_dict())
    torch.optim.SGD(model.parameters(), 0.01).step()
    first = next(n for n, _ in model.named_parameters() if 'backbone.backbone' in n)
    assert not torch.equal(before[first], model.state_dict()[first])


@pytest.mark.parametrize('name', SMALL)
@pytest.mark.parametrize('size', [(8, 32, 24), (16, 24, 40)])
def test_sizes_need_be_multiples_of_8_only(name, size):
    detector = built(name).detector.eval()
    clips = torch.rand(2, 3, *size)
    with torch.no_grad():
        maps, output = detector.backbone(clips), detector(clips)
    for map_, channels, stride in zip(maps, SMALL_HEAD['in_channels'], (2, 4, 8)):
        assert map_.shape == (2, channels, *(length // stride for length in size))
    assert output.mask.shape == (2, *size) and output.scores.shape == (2, 3)
    with pytest.raises(ValueError, match='multiples of 8'):
        detector(clips[..., :-4])


@pytest.mark.parametrize('name', SMALL)
def test_weights_of_a_recogniser_fit_by_their_names(name, tmp_path):
    cfg = small_config(name).detector.backbone
    whole = copy.deepcopy(cfg.backbone)
    # the recogniser's is deeper
    ends = dict(slowonly=[whole], slowfast=[whole.get(f'{p}_pathway') for p in PATHS])
    for part in ends.get(name, ()):
        for key in ('spatial_strides', 'temporal_strides', 'dilations', 'inflate'):
            part[key] = (*part[key], 1)
        part.num_stages, part.out_indices = 4, (3,)
    if name == 'swin':
        whole.arch = dict(embed_dims=6, depths=[1, 2, 1, 1], num_heads=[1, 2, 3, 6])
        whole.out_indices = (3,)
    torch.manual_seed(5)
    head = {'cls_head.fc.weight': torch.zeros(2, 2)}
    theirs = MODELS.build(whole).state_dict()
    state = {f'backbone.{key}': value for key, value in theirs.items()} | head
    torch.save(dict(state_dict=state), tmp_path / 'recogniser.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'recogniser.pth'))
    ours = MODELS.build(dict(cfg, init_cfg=init))
    ours.init_weights()
    found = ours.backbone.state_dict()
    shared = [key for key in found if key in theirs]
    # Swin normalises what it returns, which is another stage here
    assert set(found) - set(shared) <= {
        f'norm{i}.{k}' for i in range(3) for k in ('weight', 'bias')
    }
    assert all(torch.equal(found[key], theirs[key]) for key in shared)


def test_maps_of_one_tap_come_together():
    backbone = built('slowfast').detector.backbone.eval()
    clips = torch.rand(1, 3, 8, 32, 32)
    slow, fast = (f'{path}_path.conv1' for path in PATHS)
    assert backbone.taps[0] == (slow, fast)
    seen = {}
    for name in (slow, fast):
        layer = backbone.backbone.get_submodule(name)
        layer.register_forward_hook(lambda _, x, y, name=name: seen.update({name: y}))
    with torch.no_grad():
        first, _, _ = backbone(clips)
        assert seen[slow].shape[2:] == (2, 16, 16) and seen[fast].shape[2] == 8
        together = [grow(seen[slow], (4, 16, 16)), shrink(seen[fast], (4, 16, 16))]
        wanted = backbone.laterals[0](torch.cat(together, 1))
    torch.testing.assert_close(first, wanted)


class Pyramid(nn.Module):
    """Returns a map, and another one from a layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv3d(3, 5, 3, stride=2, padding=1)
        self.last = nn.Conv3d(5, 6, 3, stride=4, padding=1)

    def forward(self, x):
        return self.last(self.layer(x))


@pytest.fixture
def pyramid():
    MODELS.register_module(name='PyramidOfTheTest', module=Pyramid, force=True)
    cfg = dict(
        type='AdaptedBackbone',
        backbone=dict(type='PyramidOfTheTest'),
        taps=('layer', 'layer', 0),
        in_channels=(5, 5, 6),
        channels=(2, 3, 4),
    )

    def build(**changes):
        return MODELS.build({**cfg, **changes})

    yield build
    MODELS.module_dict.pop('PyramidOfTheTest')


def test_maps_are_pooled_convolved_and_interpolated(pyramid):
    backbone = pyramid().eval()
    x = torch.rand(2, 3, 8, 16, 24, generator=torch.manual_seed(0))
    with torch.no_grad():
        first, second, third = backbone(x)
        layer = backbone.backbone.layer(x)
        pooled = layer.unflatten(2, (2, 2)).unflatten(4, (4, 2)).unflatten(6, (6, 2))
        pooled = pooled.mean((3, 5, 7))
        assert torch.allclose(first, backbone.laterals[0](layer))
        assert torch.allclose(second, backbone.laterals[1](pooled), atol=1e-6)
        assert torch.allclose(
            third, backbone.laterals[2](backbone.backbone.last(layer)), atol=1e-6
        )
        assert first.min() >= 0


def test_a_copy_catches_its_own_maps(pyramid):
    backbone = pyramid().eval()
    x = torch.rand(1, 3, 8, 8, 8)
    with torch.no_grad():
        wanted = backbone(x)
        twin = copy.deepcopy(backbone)
        for parameter in backbone.backbone.parameters():
            parameter.zero_()
        assert all(torch.equal(a, b) for a, b in zip(twin(x), wanted))
        assert not torch.equal(backbone(x)[0], wanted[0])
    assert not any(m._forward_hooks for m in backbone.modules())


def test_every_frame_counts_and_constants_stay():
    x = torch.zeros(1, 1, 8, 4, 4)
    x[:, :, 6] = 8
    assert torch.equal(shrink(x, (1, 4, 4)), torch.ones(1, 1, 1, 4, 4))
    # longer axes shrink, shorter ones wait
    assert shrink(x, (2, 8, 8)).shape == (1, 1, 2, 4, 4)
    # windows that overlap, as adaptive pooling has them
    assert shrink(x, (3, 4, 4))[0, 0, :, 0, 0].tolist() == pytest.approx([0, 0, 8 / 3])
    constant = grow(torch.full((1, 1, 1, 3, 3), 2.5), (2, 6, 7))
    assert torch.allclose(constant, torch.full((1, 1, 2, 6, 7), 2.5))
    assert shrink(x, (8, 4, 4)) is x and grow(x, (8, 4, 4)) is x


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(taps=('layer', 0)), "three taps.*got \\('layer', 0\\)"),
        (dict(in_channels=(5, 6)), 'three taps'),
        (dict(channels=(5, 6, 7, 8)), 'three taps'),
        (dict(taps=('layer', 'lair', 0)), "no layer 'lair'; some it has: layer, last"),
    ],
)
def test_wrong_arguments_are_named(pyramid, changes, message):
    with pytest.raises(ValueError, match=message):
        pyramid(**changes)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(taps=('layer', 'layer', 1)), 'tap 1 of Pyramid .*got None'),
        (
            dict(in_channels=(5, 4, 6)),
            r"'layer' .*\(B, 4, T, H, W\), got \(1, 5, 4",
        ),
    ],
)
def test_wrong_maps_are_named(pyramid, changes, message):
    with pytest.raises(ValueError, match=message):
        pyramid(**changes)(torch.rand(1, 3, 8, 8, 8))
