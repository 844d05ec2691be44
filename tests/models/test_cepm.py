"""CEPM against its formulas, written out slowly."""

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from ssvad.models import CEPM, Step
from ssvad.models.semi.cepm import (
    PRIMARY,
    binary_entropy,
    capsule_maps,
    entropy_threshold,
    primary_capsules,
)
from ssvad.ramps import Progress
from tests.models.fakes import FakeStep
from tests.models.methods import batch, build


@pytest.fixture(autouse=True)
def middle_of_training():
    info = MessageHub.get_current_instance().runtime_info
    info.update(epoch=5, max_epochs=10, iter=50, max_iters=100)
    yield
    info.clear()


def entropy(p):
    return -sum(q * np.log(q) for q in (p, 1 - p) if q > 0)


def by_hand(step, epoch, max_epochs, bounds=(0.1, 0.5)):
    """Mask and class term, and the share of voxels taken."""
    threshold = bounds[0] + (bounds[1] - bounds[0]) * epoch / max_epochs
    student = step.student('strong').mask.sigmoid().detach().numpy()
    teacher = step.teacher('weak').mask.sigmoid().numpy()
    total, taken, voxels = 0.0, 0, 0
    for b in np.flatnonzero(~step.labeled.numpy()):
        for index in np.ndindex(teacher.shape[1:]):
            p, q = student[b][index], teacher[b][index]
            voxels += 1
            if entropy(q) < threshold:
                total -= np.log(p if q > 0.5 else 1 - p)
                taken += 1
    divergence = []
    for b in np.flatnonzero(~step.labeled.numpy()):
        p, q = (
            np.exp(x[b]) / np.exp(x[b]).sum()
            for x in (
                step.student('strong').scores.detach().numpy(),
                step.teacher('weak').scores.numpy(),
            )
        )
        m = (p + q) / 2
        divergence.append(0.5 * (p * np.log(p / m) + q * np.log(q / m)).sum())
    return total / max(taken, 1), np.mean(divergence), taken / voxels


@pytest.mark.parametrize('epoch', [1, 5, 10])
def test_terms_equal_their_formulas(epoch):
    step = FakeStep([0, None, 2, None], Progress(epoch - 1, 10))
    losses = CEPM(loss_weight=0.3, class_weight=0.5)(step)
    mask, classes, share = by_hand(step, epoch, 10)
    assert 0 < share < 1
    assert losses['loss_cons_mask'].item() == pytest.approx(0.3 * mask, rel=1e-9)
    assert losses['loss_cons_cls'].item() == pytest.approx(0.15 * classes, rel=1e-6)
    assert losses['taken_voxels'].item() == pytest.approx(share)
    assert 'loss_enhanced_cls' not in losses


def test_terms_reach_unlabelled_clips_of_the_student_only():
    step = FakeStep([0, None, 2, None], Progress(4, 10))
    teacher = step.teacher('weak')
    for field in (teacher.mask, teacher.scores):
        field.requires_grad_()
    sum(CEPM()(step)[key] for key in ('loss_cons_mask', 'loss_cons_cls')).backward()
    student = step.student('strong')
    for field in (student.mask, student.scores):
        reached = field.grad.flatten(1).abs().sum(1) > 0
        assert reached.tolist() == [False, True, False, True]
    assert teacher.mask.grad is None
    # the fake teacher has a graph, the real one has none (test_every_method)


@pytest.mark.parametrize('left_out', ['mask_weight', 'class_weight'])
def test_parts_can_be_left_out(left_out):
    step = FakeStep([0, None], Progress(4, 10))
    whole, rest = CEPM()(step), CEPM(**{left_out: 0})(step)
    gone = {k for k in whole if k not in rest and 'loss' in k}
    expected = 'loss_cons_mask' if left_out == 'mask_weight' else 'loss_cons_cls'
    assert gone == {expected}
    assert all(torch.equal(rest[key], whole[key]) for key in rest)


def test_threshold_rises_from_epoch_to_epoch_up_to_the_second_bound():
    values = [entropy_threshold(Progress(e, 50), (0.1, 0.5)) for e in range(50)]
    assert values[0] == pytest.approx(0.108) and values[-1] == pytest.approx(0.5)
    assert np.diff(values) == pytest.approx(0.008)


def test_certainty_does_not_depend_on_the_sign_or_overflow():
    logits = torch.tensor([0.0, 1.0, -1.0, 300.0, -300.0], dtype=torch.float64)
    values = binary_entropy(logits)
    expected = [entropy(1 / (1 + np.exp(-x))) for x in (0.0, 1.0, -1.0)]
    assert values[:3].tolist() == pytest.approx(expected)
    assert values[3:].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_maps_are_capsules_in_another_order():
    poses, activation = torch.randn(4, 6, 2, 3), torch.rand(4, 2, 2, 3)
    maps = capsule_maps(poses, activation, clips=2)
    assert maps.shape == (2, 12, 8)
    # clip 1, second slice, row 1, column 2
    assert torch.equal(maps[1, 11, :6], poses[3, :, 1, 2])
    assert torch.equal(maps[1, 11, 6:], activation[3, :, 1, 2])
    back = primary_capsules(maps, activation)
    assert torch.equal(back[0], poses) and torch.equal(back[1], activation)


def trained(labels, **kwargs):
    """A model, a step, and queues that earlier steps have filled."""
    model = build('cepm', **kwargs)
    for seed in range(3):
        torch.manual_seed(seed)
        inputs, samples = batch('cepm', [None, None])
        model(torch.rand_like(inputs), samples, mode='loss')
    inputs, samples = batch('cepm', labels)
    step = Step(model.detector, inputs, samples, (), model.teacher, (PRIMARY,))
    return model, step


def test_second_class_loss_is_that_of_the_fused_capsules():
    model, step = trained([0, None, 2])
    with torch.no_grad():  # the untrained teacher takes all clips for one class
        best = int(model.method.enhancement.queues.count.argmax())
        model.method.enhancement.queues.maps[:] = model.method.enhancement.queues.maps[
            best
        ].clone()
        model.method.enhancement.queues.count[:] = 6
    ours = model.method.enhanced(step)
    weighted = model.method(step)['loss_enhanced_cls']
    assert weighted.item() == pytest.approx(2 * ours.item())
    fusion, head = model.method.enhancement, model.detector.head
    poses, activation = step.tapped('student', 'strong', PRIMARY)
    maps = torch.cat([poses, activation], 1).flatten(2).movedim(1, 2)
    rows = []
    for row, label in ((0, 0), (2, 2)):
        fused = maps[row]
        for layer in fusion.layers:
            fused = layer(fused, fusion.queues.maps[label, :6].float())
        pose, active = fused.T.unflatten(1, (2, 2)).split([64, 4])
        _, out = head.routing(pose[None], active[None].clamp(0, 1))
        rows.append(out.mean((2, 3)))
    expected = model.detector.loss_cls(torch.cat(rows), torch.tensor([0, 2]))
    torch.testing.assert_close(ours, expected)
    ours.backward()
    learning = dict(model.method.enhancement.named_parameters())
    learning['capsules'] = head.primary.pose.weight
    learning['routing'] = head.routing.transform
    assert all(p.grad.abs().sum() > 0 for p in learning.values())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_routing_gets_activations_from_0_to_1():
    model, step = trained([0, None])
    fusion = model.method.enhancement
    fusion.queues.count[0] = 6
    for layer in fusion.layers:
        torch.nn.init.constant_(layer.out.bias, 0.8)
    seen = []
    hook = model.detector.head.routing.register_forward_pre_hook(
        lambda module, args: seen.append(args[1])
    )
    model.method.enhanced(step)
    hook.remove()
    assert seen[-1].amax() == 1 and seen[-1].amin() >= 0


def test_teacher_s_capsules_of_unlabelled_clips_are_remembered_after_use():
    model, step = trained([0, None, 2, None])
    queues = model.method.enhancement.queues
    before = queues.count.clone()
    capsules = []
    primary = model.teacher['detector'].head.primary
    hook = primary.register_forward_hook(lambda *args: capsules.extend(args[2]))
    step.student('strong'), step.teacher('weak')
    hook.remove()
    classes = step.teacher('weak').scores.argmax(1)
    fused_with = []
    hook = model.method.enhancement.register_forward_pre_hook(
        lambda *_: fused_with.append(queues.count.clone())
    )
    model.method(step)
    hook.remove()
    assert torch.equal(fused_with[0], before)
    for row in (1, 3):
        before[classes[row]] += 1
        slot = (before[classes[row]] - 1) % 32
        stored = queues.maps[classes[row], slot]
        expected = torch.cat([c[row] for c in capsules]).flatten(1).T
        assert torch.equal(stored, expected.half())
    assert torch.equal(queues.count, before)


def test_layers_are_kept_view_by_view_when_views_run_together():
    model, views = build('cepm').eval(), ('weak', 'strong')
    inputs, samples = batch('cepm', [0, None])
    apart, joint = (
        Step(model.detector, inputs, samples, group, model.teacher, (PRIMARY,))
        for group in ((), views)
    )
    for view in views:
        ours = joint.tapped('student', view, PRIMARY)
        for one, other in zip(ours, apart.tapped('student', view, PRIMARY)):
            torch.testing.assert_close(one, other)


def test_before_its_epoch_enhancement_only_collects():
    model, step = trained([0, None], enhancement_from=7)
    model.method(step)['loss_enhanced_cls'].backward()
    assert model.method(step)['loss_enhanced_cls'] == 0
    assert all((p.grad == 0).all() for p in model.method.enhancement.parameters())
    assert model.method.enhancement.queues.count.sum() == 3 * 2 + 2
    assert trained([0, None], enhancement_from=6)[0].method(step)['loss_enhanced_cls']


def test_pictures_do_not_fill_the_queues():
    model, step = trained([0, None])
    count = model.method.enhancement.queues.count.clone()
    model.method.maps(step)
    assert torch.equal(model.method.enhancement.queues.count, count)


def test_sizes_that_do_not_fit_are_named():
    config = dict(
        type='ClassFeatureEnhancement', num_classes=3, channels=68, positions=9
    )
    model = build('cepm', enhancement=config)
    with pytest.raises(ValueError, match=r'\(9, 68\) .* has \(4, 68\)'):
        model(*batch('cepm', [0, None]), mode='loss')


def test_queues_are_saved_with_the_weights():
    model, _ = trained([0, None])
    other = build('cepm')
    other.load_state_dict(model.state_dict())
    for name in ('maps', 'count'):
        ours, theirs = (
            getattr(m.method.enhancement.queues, name) for m in (model, other)
        )
        assert torch.equal(ours, theirs) and ours.any()
