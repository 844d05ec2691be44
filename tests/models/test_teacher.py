"""The moving average itself, and the wrapper around it."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ssvad.models import Teacher
from ssvad.models.semi.teacher import average_decay
from tests import golden_smt as golden
from tests.helpers import make_batch
from tests.models.methods import batch, build


def student(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    net[1].running_mean.normal_()
    return net


def move(net, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter))
        net[1].running_mean.normal_()
        net[1].num_batches_tracked += 1


@given(step=st.integers(1, 1000), decay=st.floats(0, 0.9999))
def test_early_teachers_are_plain_means(step, decay):
    keep = average_decay(step, decay)
    assert keep == pytest.approx(min(step / (step + 1), decay), rel=1e-12)


def test_first_update_copies_and_later_ones_average_all_students():
    net = student()
    teacher = Teacher(dict(net=net))
    seen = []
    for seed in range(5):
        teacher.follow(dict(net=net))
        seen.append(copy.deepcopy(net.state_dict()))
        move(net, seed)
    # n students and the first one twice: the release starts with equal networks
    for name in ('0.weight', '1.running_mean'):
        values = torch.stack([seen[0][name], *[state[name] for state in seen]])
        torch.testing.assert_close(teacher['net'].state_dict()[name], values.mean(0))
    assert teacher.updates == 5


@pytest.mark.parametrize('buffers', ['average', 'copy', 'own'])
def test_statistics_follow_the_rule(buffers):
    net = student()
    teacher = Teacher(dict(net=net), 0.5, buffers, 'train')
    teacher.follow(dict(net=net))
    first = net[1].running_mean.clone()
    move(net, 1)
    teacher.follow(dict(net=net))
    last = net[1].running_mean
    expected = dict(average=(first + last) / 2, copy=last, own=first)[buffers]
    torch.testing.assert_close(teacher['net'][1].running_mean, expected)
    tracked = teacher['net'][1].num_batches_tracked.item()
    assert tracked == (0 if buffers == 'own' else 1)


def test_teacher_survives_a_change_of_type_and_a_checkpoint():
    net = student().double()
    teacher = Teacher(dict(net=net)).double()
    teacher.follow(dict(net=net))
    move(net, 1)
    teacher.follow(dict(net=net))
    other = Teacher(dict(net=student(3).double()))
    other.load_state_dict(teacher.state_dict())
    move(net, 2)
    for copy_ in (teacher, other):
        copy_.follow(dict(net=net))
    for ours, theirs in zip(teacher.state_dict().values(), other.state_dict().values()):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    'arguments',
    [
        dict(buffers='ema'),
        dict(mode='frozen'),
        dict(decay=1.0),
        dict(buffers='own', mode='eval'),
    ],
)
def test_what_makes_no_sense_is_refused(arguments):
    with pytest.raises(ValueError, match='teacher'):
        Teacher({}, **arguments)


def test_forgotten_hook_is_noticed():
    model = build('mean teacher')
    model.teacher.updates.zero_()
    with pytest.raises(RuntimeError, match='TeacherUpdateHook'):
        model(*batch('mean teacher', [0, None]), mode='loss')


def test_either_network_infers():
    model = build('mean teacher').eval()
    clips = torch.rand(2, 3, 8, 32, 32)
    by_student = model(clips).mask
    assert torch.equal(by_student, model.detector(clips).mask)
    model.eval_net = 'teacher'
    assert torch.equal(model(clips).mask, model.teacher['detector'](clips).mask)
    assert not torch.equal(model(clips).mask, by_student)
    with pytest.raises(ValueError, match="'student', 'teacher'"):
        model.eval_net = 'both'
    with pytest.raises(ValueError, match="'student'"):
        build('l2').eval_net = 'teacher'


def test_teacher_sees_the_class_of_labelled_clips_only():
    model = build('mean teacher')
    inputs, samples = make_batch([0, None], views=('weak', 'strong'))
    seen = []
    head = model.teacher['detector'].head
    head.register_forward_hook(lambda module, args, output: seen.append(args[1]))
    model(inputs, samples, mode='loss')
    assert [labels.tolist() for labels in seen] == [[0, -1]]


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.bn = nn.BatchNorm1d(4)
        self.b = nn.Linear(4, 2)


def set_flat(module, flat):
    flat = golden.tensor(flat)
    sizes = [p.numel() for p in module.parameters()]
    with torch.no_grad():
        for parameter, values in zip(module.parameters(), flat.split(sizes)):
            parameter.copy_(values.view_as(parameter))


def flat_of(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_teacher_moves_as_released():
    values = golden.load('ema_update')
    student = Toy().double()
    set_flat(student, values['init'])
    teacher = Teacher(dict(toy=student), float(values['decay']), 'own', 'train')
    teacher.follow(dict(toy=student))
    # ours starts with a copy; the release makes it when it builds the teacher, so that
    # its first update, of equal networks, does nothing: in these values they differ
    first = flat_of(teacher['toy']).lerp(golden.tensor(values['student_step1']), 0.5)
    for step in values['steps']:
        set_flat(student, values[f'student_step{step}'])
        teacher.updates.fill_(int(step) - 1)
        if step == 1:
            set_flat(teacher['toy'], first)
        else:
            teacher.follow(dict(toy=student))
        theirs = golden.tensor(values[f'teacher_step{step}'])
        assert (flat_of(teacher['toy']) - theirs).abs().max() < 1e-6
    assert (teacher['toy'].bn.running_mean == 0).all()


@pytest.mark.parametrize('step', [1, 2, 3, 10, 200])
def test_decay_as_released(step):
    values = golden.load('ema_update')
    ours = average_decay(step, float(values['decay']))
    assert ours == pytest.approx(float(values[f'alpha_step{step}']), abs=1e-8)
