"""The wrapper, its step, and what is special about consistency of two views."""

import pytest
import torch
import torch.nn.functional as F

from ssvad.geometry import ViewGeometry
from ssvad.models import DetOutput, Step
from tests.helpers import make_batch
from tests.models.methods import METHODS, build, losses_of


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
    names = [name for name in METHODS if METHODS[name].views == ('base', 'flip')]
    terms = {name: set(losses_of(build(name), inputs, samples)) for name in names}
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
