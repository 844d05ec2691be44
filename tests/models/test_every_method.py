"""What must hold for any semi-supervised method on a mixed batch."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MessageHub

from ssvad.models import Step
from tests.helpers import TINY_DETECTOR
from tests.models.methods import METHODS, UNSUPERVISED, batch, build, losses_of

# methods that supervise labelled clips as they are
PLAIN = [n for n, case in METHODS.items() if case.config['type'] != 'MixMatch']
WITH_TEACHER = [name for name, case in METHODS.items() if case.teacher]


@pytest.fixture(autouse=True)
def middle_of_training():
    """Where no ramp is zero."""
    info = MessageHub.get_current_instance().runtime_info
    info.update(epoch=5, max_epochs=10, iter=50, max_iters=100)
    yield
    info.clear()


def supervised_keys(losses):
    return [key for key in losses if key in ('loss_cls', 'loss_mask_bce')]


@pytest.mark.parametrize('name', METHODS)
def test_truth_of_unlabelled_clips_is_never_read(name):
    inputs, samples = batch(name, [0, None, 1, None])
    clean = losses_of(build(name), inputs, samples)
    for sample in samples:
        if 'gt_label' not in sample:
            sample.set_field(torch.full((8, 32, 32), torch.nan), 'gt_mask')
            sample.set_field(torch.full((1, 8, 4), torch.nan), 'gt_tubes')
    assert losses_of(build(name), inputs, samples) == clean
    assert all(value == value for value in clean.values())


@pytest.mark.parametrize(('name', 'term'), UNSUPERVISED)
def test_every_unsupervised_term_teaches_the_student_and_not_the_teacher(name, term):
    model = build(name)
    inputs, samples = batch(name, [0, None])
    model(inputs, samples, mode='loss')[term].backward()
    norms = {
        part: sum(
            p.grad.norm().item() for p in module.parameters() if p.grad is not None
        )
        for part, module in model.detector.named_children()
        if part in ('backbone', 'head')
    }
    assert all(norm > 0 for norm in norms.values()), norms
    if model.teacher is not None:
        assert all(p.grad is None for p in model.teacher.parameters())


@pytest.mark.parametrize('name', METHODS)
def test_terms_are_those_that_are_known(name):
    case = METHODS[name]
    losses = losses_of(build(name), *batch(name, [0, None]))
    supervised = {'loss_cls', 'loss_mask_bce', 'loss_mask_dice'}
    known = supervised | set(case.terms) | set(case.own_terms)
    assert {key for key in losses if 'loss' in key} == known


@pytest.mark.parametrize('name', PLAIN)
def test_without_weight_it_is_supervised_training(name):
    case = METHODS[name]
    inputs, samples = batch(name, [0, None, 2, None])
    silent = build(name, **case.silent)
    alone = copy.deepcopy(silent)
    sum(silent(inputs, samples, mode='loss').values()).backward()
    step = Step(alone.detector, inputs, samples)
    sum(step.supervised_losses(alone.method.sup_view).values()).backward()
    theirs = alone.detector.named_parameters()
    for ours, (key, parameter) in zip(silent.detector.parameters(), theirs):
        assert torch.equal(ours.grad, parameter.grad), key


@pytest.mark.parametrize('name', [n for n, case in METHODS.items() if not case.mixes])
def test_order_of_clips_does_not_matter(name):
    inputs, samples = batch(name, [0, None, 1, None])
    inputs, order = inputs.double(), [3, 0, 2, 1]
    plain = losses_of(build(name).double(), inputs, samples)
    shuffled = [samples[i] for i in order]
    mixed = losses_of(build(name).double(), inputs[order], shuffled)
    assert mixed == pytest.approx(plain, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize('name', METHODS)
@pytest.mark.parametrize('labels', [[None, None], [0, 1]])
def test_batches_of_one_kind_train_on(name, labels):
    model = build(name)
    inputs, samples = batch(name, labels)
    losses = model(inputs, samples, mode='loss')
    assert all(torch.isfinite(value) for value in losses.values())
    supervised = [losses[k].item() for k in supervised_keys(losses)]
    assert (supervised == [0, 0]) == (labels == [None, None])
    sum(losses.values()).backward()
    trained = (p for p in model.parameters() if p.requires_grad)
    assert all(p.grad is not None for p in trained)


@pytest.mark.parametrize('name', METHODS)
def test_pictures_show_probabilities(name):
    model = build(name).eval()
    with torch.no_grad():
        maps = model.method_maps(*batch(name, [0, None]))
    assert maps
    for title, values in maps.items():
        assert tuple(values.shape) == (2, 8, 32, 32), title
        assert 0 <= values.min() and values.max() <= 1, title


@pytest.mark.parametrize('name', WITH_TEACHER)
def test_teacher_is_asked_for(name):
    with pytest.raises(ValueError, match='needs SemiDetector'):
        MODELS.build(
            dict(
                type='SemiDetector',
                detector=TINY_DETECTOR,
                method=METHODS[name].config,
            )
        )


@pytest.mark.parametrize('name', WITH_TEACHER)
def test_teacher_keeps_its_mode_when_the_loop_trains(name):
    model = build(name)
    wanted = METHODS[name].teacher.get('mode') == 'train'
    for mode in (False, True):
        model.train(mode)
        modes = {module.training for module in model.teacher.modules()}
        assert modes == {mode and wanted}


@pytest.mark.parametrize('name', WITH_TEACHER)
def test_teacher_matters(name):
    model = build(name)
    inputs, samples = batch(name, [0, None])
    before = losses_of(model, inputs, samples)
    with torch.no_grad():
        for parameter in model.teacher['detector'].parameters():
            parameter.mul_(0.5)
    after = losses_of(model, inputs, samples)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == set(METHODS[name].terms)
