"""What must hold for any semi-supervised method on a mixed batch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS

from ssvad.geometry import ViewGeometry
from ssvad.models import DetOutput, Step
from tests.helpers import TINY_DETECTOR, make_batch

METHODS = {
    'l2': dict(),
    'variance': dict(attention=dict(type='CyclicVariance', window=3, ramped=False)),
    'variance+l2': dict(attention=dict(type='CyclicVariance')),
    'gradient': dict(attention=dict(type='GradientSmoothness')),
    'both': dict(
        attention=[dict(type='CyclicVariance'), dict(type='GradientSmoothness')]
    ),
    'released': dict(
        attention=[
            dict(type='CyclicVariance', both_directions=True),
            dict(type='GradientSmoothness', signed=True, batch_mean=True),
        ]
    ),
    'own variance': dict(attention=dict(type='TemporalVariance')),
    'probabilities': dict(on='probabilities'),
    'l2+class': dict(mask_weight=0.7, class_weight=0.3),
    'class': dict(mask_weight=0, class_weight=1.0),
    'released class': dict(mask_weight=0, class_weight=1.0, class_form='kl'),
    'target': dict(class_weight=0.3, target='base'),
}
UNSUPERVISED = [
    (name, term)
    for name, method in METHODS.items()
    for term, weight in (
        ('loss_cons_mask', method.get('mask_weight', 1)),
        ('loss_cons_cls', method.get('class_weight', 0)),
    )
    if weight
]


def build(name='variance+l2', joint_views=False, **kwargs):
    torch.manual_seed(0)
    method = dict(type='SemiSupConsistency', **METHODS[name], **kwargs)
    return MODELS.build(
        dict(
            type='SemiDetector',
            detector=TINY_DETECTOR,
            method=method,
            joint_views=joint_views,
        )
    )


def losses_of(model, inputs, samples):
    return {k: v.item() for k, v in model(inputs, samples, mode='loss').items()}


@pytest.mark.parametrize('name', METHODS)
def test_truth_of_unlabelled_clips_is_never_read(name):
    inputs, samples = make_batch([0, None, 1, None])
    clean = losses_of(build(name), inputs, samples)
    for sample in samples:
        if 'gt_label' not in sample:
            sample.set_field(torch.full((8, 32, 32), torch.nan), 'gt_mask')
            sample.set_field(torch.full((1, 8, 4), torch.nan), 'gt_tubes')
    assert losses_of(build(name), inputs, samples) == clean
    assert all(value == value for value in clean.values())


@pytest.mark.parametrize(('name', 'term'), UNSUPERVISED)
def test_every_unsupervised_term_teaches_the_student(name, term):
    model = build(name)
    inputs, samples = make_batch([0, None])
    model(inputs, samples, mode='loss')[term].backward()
    norms = {
        part: sum(
            p.grad.norm().item() for p in module.parameters() if p.grad is not None
        )
        for part, module in model.detector.named_children()
        if part in ('backbone', 'head')
    }
    assert all(norm > 0 for norm in norms.values()), norms


@pytest.mark.parametrize('target', [None, 'base', 'flip'])
@pytest.mark.parametrize('on', ['logits', 'probabilities'])
def test_gradient_flows_through_both_views_but_never_into_a_target(target, on):
    model = build('l2+class', target=target, on=on)
    step = Step(model.detector, *make_batch([0, None]))
    for view in ('base', 'flip'):
        for field in ('mask', 'capsules'):
            getattr(step.student(view), field).retain_grad()
    sum(model.method(step).values()).backward()
    for view in ('base', 'flip'):
        for field in ('mask', 'capsules'):
            gradient = getattr(step.student(view), field).grad
            reached = gradient is not None and gradient.abs().sum() > 0
            assert reached == (view != target), (view, field)


def test_terms_that_are_left_out_do_not_appear():
    inputs, samples = make_batch([0, None])
    terms = {name: set(losses_of(build(name), inputs, samples)) for name in METHODS}
    assert terms['class'] == terms['l2'] ^ {'loss_cons_mask', 'loss_cons_cls'}
    assert terms['l2+class'] == terms['l2'] | {'loss_cons_cls'}


def test_the_papers_weights_multiply():
    inputs, samples = make_batch([0, None])
    one = losses_of(build('l2', loss_weight=1.0, class_weight=1.0), inputs, samples)
    paper = losses_of(build('l2+class', loss_weight=0.1), inputs, samples)
    for term, weight in (('loss_cons_mask', 0.07), ('loss_cons_cls', 0.03)):
        assert paper[term] == pytest.approx(weight * one[term], rel=1e-5)


def test_consistency_covers_labelled_and_unlabelled_clips():
    model = build('l2')
    inputs, samples = make_batch([0, None])
    step = Step(model.detector, inputs, samples)
    for view in ('base', 'flip'):
        step.student(view).mask.retain_grad()
    model.method(step)['loss_cons_mask'].backward()
    per_clip = step.student('base').mask.grad.flatten(1).abs().sum(1)
    assert (per_clip > 0).all()


def test_without_weight_it_is_supervised_training():
    inputs, samples = make_batch([0, None, 2, None])
    silent = build('variance+l2', loss_weight=0.0)
    alone = copy.deepcopy(silent)
    sum(silent(inputs, samples, mode='loss').values()).backward()
    step = Step(alone.detector, inputs, samples)
    sum(step.supervised_losses('base').values()).backward()
    for (name, ours), theirs in zip(silent.named_parameters(), alone.parameters()):
        assert torch.equal(ours.grad, theirs.grad), name


@pytest.mark.parametrize('name', METHODS)
def test_order_of_clips_does_not_matter(name):
    inputs, samples = make_batch([0, None, 1, None])
    inputs, order = inputs.double(), [3, 0, 2, 1]
    plain = losses_of(build(name).double(), inputs, samples)
    shuffled = [samples[i] for i in order]
    mixed = losses_of(build(name).double(), inputs[order], shuffled)
    assert mixed == pytest.approx(plain, rel=1e-9, abs=0)


@pytest.mark.parametrize('name', METHODS)
@pytest.mark.parametrize('labels', [[None, None], [0, 1]])
def test_batches_of_one_kind_train_on(name, labels):
    model = build(name)
    inputs, samples = make_batch(labels)
    losses = model(inputs, samples, mode='loss')
    assert all(torch.isfinite(value) for value in losses.values())
    supervised = [losses[k].item() for k in ('loss_cls', 'loss_mask_bce')]
    assert (supervised == [0, 0]) == (labels == [None, None])
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_each_view_is_computed_once():
    model = build('both')
    calls = []
    model.detector.backbone.register_forward_hook(lambda *_: calls.append(1))
    model(*make_batch([0, None]), mode='loss')
    assert len(calls) == 2


@pytest.mark.parametrize('name', ['released', 'l2+class'])
def test_joint_views_differ_in_batch_statistics_only(name):
    inputs, samples = make_batch([0, None, 2])
    apart, joint = build(name).double(), build(name, joint_views=True).double()
    calls = []
    joint.detector.backbone.register_forward_hook(lambda *_: calls.append(1))
    for model in (apart, joint):
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm3d):
                module.eval()
    inputs = inputs.double()
    ours = losses_of(joint, inputs, samples)
    assert ours == pytest.approx(losses_of(apart, inputs, samples), rel=1e-9)
    assert len(calls) == 1
    joint.train(), apart.train()
    assert losses_of(joint, inputs, samples) != losses_of(apart, inputs, samples)


class Brightness:
    """A student that commutes with mirroring: its mask is the clip's brightness."""

    def detect(self, clips, samples):
        return DetOutput(clips.mean(1), clips.mean((2, 3, 4)), clips)


def test_views_are_aligned_before_they_are_compared():
    inputs, samples = make_batch([None, None])
    step = Step(Brightness(), inputs, samples)
    base, flip = (step.align(step.student(v).mask, v)[0] for v in ('base', 'flip'))
    assert torch.equal(base, flip)
    for sample in samples:
        sample.set_metainfo(dict(views=dict(base=ViewGeometry(), flip=ViewGeometry())))
    step = Step(Brightness(), inputs, samples)
    base, flip = (step.align(step.student(v).mask, v)[0] for v in ('base', 'flip'))
    assert not torch.equal(base, flip)


def test_supervision_brings_the_prediction_to_the_frame_of_the_truth():
    inputs, samples = make_batch([0, 1])
    step = Step(build().detector, inputs, samples)
    losses = step.supervised_losses('flip')
    mirrored = step.student('flip').mask.flip(-1)
    target = torch.stack([sample.gt_mask for sample in samples]).float()
    expected = F.binary_cross_entropy_with_logits(mirrored, target)
    assert losses['loss_mask_bce'].item() == pytest.approx(expected.item(), rel=1e-6)


def test_missing_view_is_named():
    model = build(views=('base', 'strong'))
    with pytest.raises(KeyError, match=r"view 'strong', the pipeline makes \['base'"):
        model(*make_batch([0]), mode='loss')


def test_maps_are_probabilities_by_name():
    model = build('released').eval()
    with torch.no_grad():
        maps = model.method_maps(*make_batch([0, None]))
    assert {'CyclicVariance', 'GradientSmoothness'} < set(maps)
    for name, values in maps.items():
        assert tuple(values.shape) == (2, 8, 32, 32), name
        assert 0 <= values.min() and values.max() <= 1, name


def test_inference_is_the_detectors_own():
    model = build().eval()
    clips = torch.rand(2, 3, 8, 32, 32)
    assert torch.equal(model(clips).mask, model.detector(clips).mask)
