import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MessageHub

from ssvad.models.heads.capsule_routing_head import class_gate
from tests.helpers import TINY_DETECTOR, make_batch


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return MODELS.build(TINY_DETECTOR)


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
