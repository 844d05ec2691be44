"""Stable Mean Teacher against values of the released functions (tests/data/smt)."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.logging import MessageHub
from torch import nn

from ssvad.geometry import ViewGeometry
from ssvad.models import (
    DetOutput,
    ErrorRecovery,
    StableMeanTeacher,
    Teacher,
)
from ssvad.models.losses.supervised import SpreadLoss
from ssvad.models.semi import stable_mean_teacher
from tests import golden_smt as golden

RELEASED = dict(
    opt1_4=dict(balance='to_motion'),
    opt2_4=dict(balance='to_pixels'),
    opt3_4=dict(balance='ramped_sum'),
    opt3_5=dict(balance='ramped_sum'),
)


@pytest.fixture(autouse=True)
def first_epoch():
    MessageHub.get_current_instance().runtime_info.clear()


def fill(module, phase, amp, freq=0.19 + golden.K):
    return golden.fill(module, freq, phase, amp)


def test_recovery_network_as_released():
    # in float32: in float64 some rectifiers of these weights switch, and the norms
    # of single gradients move by up to 4 % (the output by 8e-5)
    values = golden.load('eor_unet')
    net = fill(ErrorRecovery(dropout=0.0), golden.PHASE, 1.3)
    shapes = [str(tuple(p.shape)) for p in net.parameters()]
    assert shapes == values['param_shapes'].tolist()
    assert sum(p.numel() for p in net.parameters()) == int(values['n_params'])
    assert not list(net.buffers())
    output = net(golden.tensor(values['input'], torch.float32))
    assert (output - golden.tensor(values['output'])).abs().max() < 1e-5
    target = golden.tensor(values['target'], torch.float32)
    loss = sum(MODELS.build(dict(type='MaskLoss'))(output, target).values())
    assert loss.item() == pytest.approx(float(values['loss']), rel=1e-6)
    loss.backward()
    for parameter, norm in zip(net.parameters(), values['grad_norms']):
        ours = parameter.grad.norm().item()
        # biases before instance norm have no gradient but rounding
        assert ours == pytest.approx(float(norm), rel=1e-4, abs=1e-5)
    for ours, name in [
        (net.down[0][0].weight, 'grad_first_conv'),
        (net.final.weight, 'grad_final_weight'),
    ]:
        theirs = golden.tensor(values[name])
        assert (ours.grad - theirs).abs().max() < 1e-3 * theirs.abs().max()


class Fixed(nn.Module):
    """A network whose output is given."""

    def __init__(self, output):
        super().__init__()
        self.output = nn.Parameter(output)
        self.inputs = []

    def forward(self, masks):
        self.inputs.append(masks)
        return self.output


class FixedDetector(nn.Module):
    """Given logits and scores."""

    def __init__(self, mask, scores):
        super().__init__()
        self.mask, self.scores = nn.Parameter(mask), nn.Parameter(scores)

    def detect(self, clips, data_samples=None):
        return DetOutput(self.mask, self.scores, self.scores)


def samples_of(masks, actions, unlabeled):
    samples = []
    for i in range(len(actions) + unlabeled):
        sample = ActionDataSample()
        if i < len(actions):
            sample.set_gt_label(int(actions[i]))
            sample.set_field(golden.tensor(masks[i, 0]), 'gt_mask')
        views = dict(weak=ViewGeometry(), strong=ViewGeometry())
        sample.set_metainfo(dict(views=views))
        samples.append(sample)
    return samples


def step_of(student, teacher, inputs, samples):
    return stable_mean_teacher.Step(student, inputs, samples, teacher=teacher)


def set_ramp(method, ramp):
    method.ramp = lambda progress: ramp


@pytest.mark.parametrize('option', RELEASED)
def test_terms_of_all_released_options(option):
    values = golden.load('dop_eor_losses')
    masks = {
        name: golden.tensor(values[f'{name}_logits'])
        for name in ('student', 'teacher', 'eor_student', 'eor_teacher')
    }
    scores = golden.tensor(values['cls_activations'])
    method = StableMeanTeacher(
        recover_all=True,
        recovery=None,
        loss_weight=float(values['wt_cons']),
        ramp_recovered=option.endswith('5'),
        **RELEASED[option],
    )
    method.recovery = Fixed(masks['eor_student'])
    set_ramp(method, float(values['ramp']))
    student = FixedDetector(masks['student'][:, 0], scores)
    teacher = Teacher(
        dict(
            detector=FixedDetector(masks['teacher'][:, 0], scores),
            recovery=Fixed(masks['eor_teacher']),
        )
    )
    samples = samples_of(values['mask_labeled'], values['action_labeled'].ravel(), 2)
    inputs = torch.zeros(4, 2, 3, 8, 12, 10)
    step = step_of(student, teacher, inputs, samples)
    losses = method(step)
    expected = {k: float(values[f'{option}_{k}']) for k in ('cons_main', 'cons_eor')}
    weight = float(values['wt_cons'] * values['ramp'])
    assert losses['loss_cons_mask'].item() == pytest.approx(
        weight * expected['cons_main'], rel=1e-6
    )
    share = float(values['ramp']) if option.endswith('5') else 1
    assert losses['loss_cons_recovered'].item() == pytest.approx(
        weight * share * expected['cons_eor'], rel=1e-6
    )
    assert losses['loss_recovery_bce'].item() == pytest.approx(
        float(values['eor_bce']), rel=1e-6
    )
    assert losses['loss_recovery_dice'].item() == pytest.approx(
        float(values['eor_dice']), rel=1e-6
    )
    supervised = supervised_of(step, scores)
    total = sum(losses.values()) + sum(supervised.values())
    assert total.item() == pytest.approx(float(values[f'{option}_total']), rel=1e-6)
    if option != 'opt3_4':
        return
    total.backward()
    for gradient, name in [
        (student.mask.grad[:, None], 'grad_student_loc'),
        (student.scores.grad, 'grad_student_cls'),
        (method.recovery.output.grad, 'grad_eor_out'),
    ]:
        theirs = golden.tensor(values[name])
        assert (gradient - theirs).abs().max() <= 1e-5 * theirs.abs().max(), name
    assert all(p.grad is None for p in teacher.parameters())
    (seen,) = method.recovery.inputs
    assert torch.equal(seen[:, 0], student.mask.detach().sigmoid())
    assert not seen.requires_grad


def supervised_of(step, scores):
    """Losses of the labelled rows as released: divided by their number twice."""
    output = step.student('strong').rows(step.labeled)
    labels = torch.cat([s.gt_label for s in step.labeled_samples()])
    losses = MODELS.build(dict(type='MaskLoss'))(output.mask, step.labeled_masks())
    losses['loss_cls'] = SpreadLoss(divide_twice=True)(output.scores, labels)
    return losses


@pytest.mark.parametrize('value', ['l2_main', 'dop_main', 'l2_eor', 'dop_eor'])
def test_single_terms(value):
    values = golden.load('dop_eor_losses')
    student = golden.tensor(values['student_logits'])[:, 0]
    name = 'teacher' if value.endswith('main') else 'eor_teacher'
    target = golden.tensor(values[f'{name}_logits'])[:, 0]
    distance = (
        F.mse_loss
        if value.startswith('l2')
        else stable_mean_teacher.difference_of_pixels
    )
    ours = distance(student, target).item()
    assert ours == pytest.approx(float(values[value]), rel=1e-6)


class TinyDetector(nn.Module):
    """The detector of the golden step."""

    def __init__(self):
        super().__init__()
        self.loc = nn.Conv3d(3, 1, 3, padding=1)
        self.cls = nn.Linear(3, 24)

    def detect(self, clips, data_samples=None):
        scores = self.cls(clips.mean((2, 3, 4))).sigmoid()
        return DetOutput(self.loc(clips)[:, 0], scores, scores)


def test_a_whole_step():
    values = golden.load('train_step')
    phase = golden.PHASE
    student, averaged = TinyDetector(), TinyDetector()  # float32, see above
    golden.fill(student, 0.5, phase, 2)
    golden.fill(averaged, 0.5, phase + 0.4, 2)
    method = StableMeanTeacher(balance='ramped_sum', recover_all=True)
    recovery = fill(method.recovery.eval(), phase, 1.3)
    average = fill(ErrorRecovery(), phase + 0.3, 1.3)
    set_ramp(method, float(values['ramp']))
    teacher = Teacher(dict(detector=averaged, recovery=average), float(values['decay']))
    # the release updates first in a step: what we do at the end of the one before
    teacher.updates.fill_(int(values['global_step']) - 1)
    teacher.follow(dict(detector=student, recovery=recovery))
    teacher.eval()
    inputs = torch.cat(
        [
            torch.stack(
                [
                    golden.tensor(values[f'{view}_{kind}'], torch.float32)
                    for view in ('weak', 'strong')
                ],
                dim=1,
            )
            for kind in ('labeled', 'unlabeled')
        ]
    )
    samples = samples_of(values['mask_labeled'], values['action_labeled'].ravel(), 2)
    step = step_of(student, teacher, inputs, samples)
    losses = method(step)
    weight = 0.1 * float(values['ramp'])
    for term, name in [
        ('loss_cons_mask', 'cons_main'),
        ('loss_cons_recovered', 'cons_eor'),
    ]:
        expected = weight * float(values[name])
        assert losses[term].item() == pytest.approx(expected, rel=1e-4)
    total = sum(losses.values())
    total = total + sum(supervised_of(step, None).values())
    assert total.item() == pytest.approx(float(values['total']), rel=1e-4)
    total.backward()
    for ours, name in [
        (student.loc.weight.grad, 'grad_loc_weight'),
        (student.loc.bias.grad, 'grad_loc_bias'),
        (student.cls.weight.grad, 'grad_cls_weight'),
        (teacher['detector'].loc.weight, 'teacher_loc_weight_after'),
        (teacher['detector'].cls.weight, 'teacher_cls_weight_after'),
        (teacher['recovery'].final.weight, 'eor_teacher_final_weight_after'),
    ]:
        theirs = golden.tensor(values[name])
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max(), name
    for parameter, norm in zip(recovery.parameters(), values['eor_grad_norms']):
        ours = parameter.grad.norm().item()
        assert ours == pytest.approx(float(norm), rel=1e-3, abs=1e-5)
