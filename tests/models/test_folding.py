import copy

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from ssvad.models.folding import fold_batch_norm
from tests import golden_network as golden
from tests.helpers import TINY_DETECTOR

SEMI = dict(
    type='SemiDetector',
    detector=TINY_DETECTOR,
    method=dict(type='SemiSupConsistency'),
)
RECOGNIZER = dict(
    type='Recognizer3D',
    backbone=dict(type='I3D', out_endpoints=('Mixed_5c',), width=0.0625),
    data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'),
    cls_head=dict(type='I3DHead', num_classes=5, in_channels=64),
)


def build(cfg):
    """A model in float64 whose batch norms all do something."""
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg)).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.2, 3)
            nn.init.uniform_(module.weight, -2, 2)
            nn.init.normal_(module.bias)
    return model.eval()


def batch_norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm3d)]


def flat(output):
    fields = output if isinstance(output, tuple) else (output,)
    return torch.cat([field.flatten() for field in fields])


@pytest.mark.parametrize('cfg', [TINY_DETECTOR, SEMI, RECOGNIZER])
def test_folded_model_is_the_same_function(cfg):
    model = build(cfg)
    clips = torch.rand(2, 3, 8, 32, 48, dtype=torch.float64)
    if cfg is RECOGNIZER:
        clips = clips[:, None]
    folded = fold_batch_norm(model)
    assert batch_norms(model) and not batch_norms(folded)
    with torch.no_grad():
        plain, same = flat(model(clips)), flat(folded(clips))
    assert (plain - same).abs().max() <= 1e-12 * plain.abs().max()
    # batch norm was far from doing nothing
    for norm in batch_norms(model):
        norm.reset_running_stats()
    with torch.no_grad():
        assert (flat(model(clips)) - plain).abs().max() > 1e-3 * plain.abs().max()


def test_model_stays_as_it_was():
    model = build(TINY_DETECTOR)
    before = copy.deepcopy(model.state_dict())
    fold_batch_norm(model)
    assert list(before) == list(model.state_dict())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


def test_copy_cannot_be_trained():
    folded = fold_batch_norm(build(TINY_DETECTOR))
    assert not any(p.requires_grad for p in folded.parameters())


def test_train_mode_is_refused_with_the_layer():
    model = build(TINY_DETECTOR)
    model.backbone.Mixed_3b.b1a.train()
    with pytest.raises(ValueError, match=r"eval mode: .*'backbone.Mixed_3b.b1a'"):
        fold_batch_norm(model)


def test_nothing_to_fold_is_told():
    with pytest.raises(ValueError, match='no I3D unit with batch norm in Linear'):
        fold_batch_norm(nn.Linear(1, 1).eval())
    with pytest.raises(ValueError, match='folded already'):
        fold_batch_norm(fold_batch_norm(build(TINY_DETECTOR)))


@pytest.mark.slow
def test_folded_full_network_meets_the_reference():
    detector = MODELS.build(
        dict(
            type='MaskDetector',
            backbone=dict(
                type='I3D', out_endpoints=('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f')
            ),
            head=dict(type='CapsuleRoutingHead', num_classes=24),
        )
    )
    detector.load_state_dict(golden.network_state(golden.SEED + 60))
    folded = fold_batch_norm(detector.double().eval())
    clip = torch.from_numpy(golden.clips(golden.SEED + 61, 1)).double()
    with torch.no_grad():
        shallow, middle, deep = folded.backbone(clip)
        out = folded(clip)
    ours = dict(
        feat_sub=deep[:, ::13, :, ::5, ::5],
        c56_sub=middle[:, ::16, :, ::14, ::14],
        c112_sub=shallow[:, ::8, :, ::28, ::28],
        logits_sub=out.mask[:, None, :, ::8, ::8],
        logits_edge=out.mask[0, [0, 0, -1, -1], [0, -1, 0, -1]],
        scores=out.scores,
        acts_sub=out.capsules.flatten(2).transpose(1, 2)[:, ::9],
    )
    reference = golden.load('net_eval')
    for key, value in ours.items():
        expected = torch.from_numpy(reference[key]).double().reshape(value.shape)
        error = (value - expected).abs().max().item()
        assert error < 1e-6, (key, error)
