import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MessageHub

from ssvad.models.heads.capsule_routing_head import class_gate
from tests import golden_network as golden
from tests.helpers import TINY_DETECTOR, make_batch

FULL_SIZE = dict(
    type='MaskDetector',
    backbone=dict(
        type='I3D', out_endpoints=('Conv3d_1a_7x7', 'Conv3d_2c_3x3', 'Mixed_4f')
    ),
    head=dict(type='CapsuleRoutingHead', num_classes=24),
)


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return MODELS.build(TINY_DETECTOR)


@pytest.mark.slow
def test_full_network_meets_the_reference():
    detector = MODELS.build(FULL_SIZE)
    detector.load_state_dict(golden.network_state(golden.SEED + 60))
    assert sum(p.numel() for p in detector.parameters()) == 48_003_705
    detector.double().eval()
    clip = torch.from_numpy(golden.clips(golden.SEED + 61, 1)).double()
    with torch.no_grad():
        features = detector.backbone(clip)
        out = detector(clip)
    shallow, middle, deep = features
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


@pytest.mark.parametrize('shape', [(8, 32, 32), (16, 32, 48), (8, 40, 24)])
def test_any_multiple_of_eight_works(detector, shape):
    out = detector(torch.rand(2, 3, *shape))
    assert tuple(out.mask.shape) == (2, *shape)
    assert tuple(out.scores.shape) == (2, 3)
    torch.testing.assert_close(out.capsules.mean((2, 3, 4)), out.scores)


@pytest.mark.parametrize('shape', [(7, 32, 32), (8, 30, 32), (8, 32, 36)])
def test_other_sizes_are_refused_with_their_shape(detector, shape):
    with pytest.raises(ValueError, match=f'multiples of 8, got .*{shape[-1]}'):
        detector(torch.rand(1, 3, *shape))


def test_clip_smaller_than_the_capsule_kernel_is_refused(detector):
    with pytest.raises(ValueError, match='use larger clips or a smaller kernel_size'):
        detector(torch.rand(1, 3, 8, 16, 16))


def test_gate_follows_label_then_warm_up_then_best_score():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.7, 0.1, 0.2]])
    labels = torch.tensor([2, -1, -1])
    warm = class_gate(scores, labels, open_unlabeled=True)
    assert warm.tolist() == [[0, 0, 1], [1, 1, 1], [1, 1, 1]]
    later = class_gate(scores, labels, open_unlabeled=False)
    assert later.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    inference = class_gate(scores, None, open_unlabeled=True)
    assert inference.tolist() == [[0, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_labels_steer_the_mask_in_training_only(detector):
    inputs, samples = make_batch([0])
    _, other = make_batch([1])
    clips = inputs[:, 0]
    assert not torch.equal(detector(clips, samples).mask, detector(clips, other).mask)
    detector.eval()
    assert torch.equal(detector(clips, samples).mask, detector(clips, other).mask)


def test_unlabelled_clips_decode_all_classes_during_warm_up_only(detector):
    inputs, samples = make_batch([None])
    hub = MessageHub.get_current_instance()
    gates = []
    detector.head.upsample1.register_forward_pre_hook(
        lambda _, args: gates.append((args[0].flatten(2).abs().sum(2) > 0)[0])
    )
    detector.warmup_epochs = 2
    for epoch in (0, 1, 2):
        hub.update_info('epoch', epoch)
        detector(inputs[:, 0], samples)
    hub.update_info('epoch', 0)
    classes = [gate.reshape(3, 16).any(1).sum().item() for gate in gates]
    assert classes == [3, 3, 1]


@pytest.mark.parametrize('routing', ['em', 'dynamic'])
def test_losses_reach_every_parameter(routing):
    head = dict(TINY_DETECTOR['head'], routing=routing)
    detector = MODELS.build(dict(TINY_DETECTOR, head=head))
    inputs, samples = make_batch([0, 1, 2])
    losses = detector(inputs[:, :1], samples, mode='loss')
    assert set(losses) == {'loss_cls', 'loss_mask_bce', 'loss_mask_dice'}
    sum(losses.values()).backward()
    missing = [n for n, p in detector.named_parameters() if p.grad is None]
    assert not missing


def test_several_views_need_the_semi_detector(detector):
    inputs, samples = make_batch([0])
    with pytest.raises(ValueError, match='one view per clip, got 2.*SemiDetector'):
        detector(inputs, samples, mode='loss')


def test_prediction_puts_clips_back_in_frame_order(detector):
    detector.eval()
    clips = torch.rand(1, 4, 3, 8, 32, 32)
    (sample,) = make_batch([0])[1]
    order = torch.arange(2 * 16).reshape(2, 8, 2).transpose(1, 2).reshape(-1)
    sample.set_metainfo(
        dict(
            total_frames=27,
            frame_inds=order.clamp(max=26).numpy(),
            frame_valid=(order < 27).numpy(),
        )
    )
    one = copy.deepcopy(detector)
    one.clips_per_forward = 1
    (found,) = detector(clips, [copy.deepcopy(sample)], mode='predict')
    (same,) = one(clips, [copy.deepcopy(sample)], mode='predict')
    assert tuple(found.pred_mask.shape) == (27, 32, 32)
    assert tuple(found.pred_clip_scores.shape) == (4, 3)
    torch.testing.assert_close(found.pred_mask, same.pred_mask)
    direct = detector(clips[0, 1:2]).mask.sigmoid()[0]  # frames 1, 3, 5, ...
    torch.testing.assert_close(found.pred_mask[1:16:2], direct)
    last = detector(clips[0, 2:3]).mask.sigmoid()[0]  # frames 16, 18, ..., 26, padding
    torch.testing.assert_close(found.pred_mask[16:27:2], last[:6])
    assert found.pred_label.item() == found.pred_score.argmax().item()
