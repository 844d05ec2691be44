"""CSD and ISD against their formulas, written out slowly."""

import numpy as np
import pytest
import torch

from ssvad.models import CSD, ISD
from ssvad.ramps import Progress, csd_ramp
from tests.models.fakes import FakeStep, output

VIEWS = ('base', 'flip')


def at(done):
    """Progress after a share of 1000 iterations."""
    return Progress(0, 1, int(1000 * done), 1000)


def numbers(values):
    return values.detach().numpy()


def kl(target, other):
    return sum(t * np.log(t / o) for t, o in zip(target, other))


def two(logit):
    return np.array([1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))])


def normalised(scores):
    return scores / scores.sum()


def csd_by_hand(step):
    """Class and mask term of CSD, without weight."""
    base, flip = (step.student(view) for view in VIEWS)
    classes, squares = [], []
    capsules = numbers(base.capsules), numbers(flip.capsules)
    width = capsules[0].shape[-1]
    for b, t, y, x in np.ndindex(capsules[0][:, 0].shape):
        p = normalised(capsules[0][b, :, t, y, x])
        q = normalised(capsules[1][b, :, t, y, width - 1 - x])
        classes.append((kl(p, q) + kl(q, p)) / 2)
    masks = numbers(base.mask), numbers(flip.mask)
    width = masks[0].shape[-1]
    for b, t, y, x in np.ndindex(masks[0].shape):
        z = masks[0][b, t, y, x]
        if z > 0:
            squares.append((masks[1][b, t, y, width - 1 - x] - z) ** 2)
    return np.mean(classes), np.mean(squares)


@pytest.mark.parametrize('done', [0, 0.1, 0.5, 0.9])
def test_csd_equals_its_formula(done):
    step = FakeStep([0, None, 2], at(done), VIEWS)
    classes, masks = csd_by_hand(step)
    method = CSD(loss_weight=0.5, class_weight=3.0, mask_weight=2.0)
    losses = {key: value.item() for key, value in method(step).items()}
    ramp = {0: 0, 0.1: np.exp(-5 * (1 - 0.1 * 15 / 4) ** 2), 0.5: 1}
    ramp[0.9] = np.exp(-12.5 * (1 - 0.1 * 6) ** 2)
    assert losses == pytest.approx(
        dict(
            loss_cons_cls=0.5 * 3 * ramp[done] * classes,
            loss_cons_mask=0.5 * 2 * ramp[done] * masks,
        ),
        rel=1e-6,
    )
    assert set(CSD()(step)) == {'loss_cons_cls'}


def test_each_side_of_a_class_divergence_is_a_constant_for_the_other():
    step = FakeStep([0, None], at(0.5), VIEWS)
    base, flip = (step.student(view) for view in VIEWS)
    CSD()(step)['loss_cons_cls'].backward()
    ours = base.capsules.grad, flip.capsules.grad
    # the divergences with targets that are constants indeed
    f, g = (x.capsules.detach().clone().requires_grad_() for x in (base, flip))
    p = f / f.sum(1, keepdim=True)
    q = g.flip(-1) / g.flip(-1).sum(1, keepdim=True)
    constant_p, constant_q = p.detach(), q.detach()
    total = (constant_q * (constant_q / p).log()).sum(1).mean()
    total = total + (constant_p * (constant_p / q).log()).sum(1).mean()
    (total / 2).backward()
    torch.testing.assert_close(ours[0], f.grad)
    torch.testing.assert_close(ours[1], g.grad)


def test_masks_of_both_views_learn_where_the_first_sees_foreground():
    step = FakeStep([0, None], at(0.5), VIEWS)
    base, flip = (step.student(view) for view in VIEWS)
    CSD(mask_weight=1.0)(step)['loss_cons_mask'].backward()
    assert torch.equal(base.mask.grad != 0, base.mask > 0)
    torch.testing.assert_close(flip.mask.grad.flip(-1), -base.mask.grad)


def test_without_foreground_the_mask_term_is_zero():
    step = FakeStep([None], at(0.5), VIEWS)
    with torch.no_grad():
        step.student('base').mask.abs_().neg_()
    assert CSD(mask_weight=1.0)(step)['loss_cons_mask'] == 0


class Mixer:
    """A detector whose output on mixtures is given; keeps what it is asked."""

    def __init__(self, clips):
        given = output(clips, seed=5)
        self.given = type(given)(*(x.requires_grad_() for x in given))

    def class_gate(self, scores, samples):
        return scores.detach()

    def detect(self, clips, gate):
        self.clips, self.gate = clips, gate
        return self.given


def mixed_step(labels, done=0.5):
    return FakeStep(labels, at(done), VIEWS, Mixer(len(labels)))


def share_of(step, partner):
    """Solve the mixture for lambda; it must fit every pixel."""
    base, flip = step.clips('base'), step.clips('flip')[partner]
    shares = (step.detector.clips - flip) / (base - flip)
    share = shares.flatten()[0].item()
    torch.testing.assert_close(
        shares, torch.full_like(shares, share), atol=1e-6, rtol=0
    )
    return share


def isd_by_hand(step, partner, share):
    """Mask terms of type I and II, class term of type I, without weight."""
    left = numbers(step.student('base').mask)
    right = numbers(step.student('flip').mask)[partner]  # in its own geometry
    mixed = numbers(step.detector.given.mask)
    both, only_left, only_right = [], [], []
    for index in np.ndindex(left.shape):
        zl, zr, zm = left[index], right[index], mixed[index]
        p, q, m = two(zl), two(zr), two(zm)
        if zl > 0 and zr > 0:
            mixture = share * p + (1 - share) * q
            both.append((kl(mixture, m) + kl(m, mixture)) / 2)
        elif zl > 0:
            only_left.append(kl(p, m) + (zm - zl) ** 2)
        elif zr > 0:
            only_right.append(kl(q, m) + (zm - zr) ** 2)
    scores = [
        numbers(out.scores)
        for out in (step.student('base'), step.student('flip'), step.detector.given)
    ]
    classes = []
    for b in range(len(left)):
        p, q = normalised(scores[0][b]), normalised(scores[1][partner[b]])
        mixture, m = share * p + (1 - share) * q, normalised(scores[2][b])
        classes.append((kl(mixture, m) + kl(m, mixture)) / 2)
    type2 = np.mean(only_left) + np.mean(only_right)
    return np.mean(both), type2, np.mean(classes)


@pytest.mark.parametrize(
    ('labels', 'partner'),
    [([0, None, 2, None], [2, 3, 0, 1]), ([0, None, 1], [2, 0, 1])],
)
def test_isd_equals_its_formula(labels, partner):
    step = mixed_step(labels, 0.1)
    method = ISD(loss_weight=0.5, type1_weight=0.2, concentration=2.0)
    torch.manual_seed(0)
    losses = method(step)
    share = share_of(step, partner)
    assert 0.02 < share < 0.98 and abs(share - 0.5) > 0.01
    base, flip = (step.student(view).scores for view in VIEWS)
    gate = share * base + (1 - share) * flip[partner]
    torch.testing.assert_close(step.detector.gate, gate)
    type1, type2, classes = isd_by_hand(step, partner, share)
    weight = 0.5 * csd_ramp(0.1)
    assert losses['loss_mix_mask'].item() == pytest.approx(
        weight * (0.2 * type1 + type2), rel=1e-6
    )
    assert losses['loss_mix_cls'].item() == pytest.approx(
        weight * 0.2 * classes, rel=1e-6
    )
    plain = CSD(loss_weight=0.5, mask_weight=1.0)(step)
    for name, value in plain.items():
        assert torch.equal(losses[name], value)


def test_shares_are_near_a_half_as_released():
    shares = []
    for seed in range(20):
        torch.manual_seed(seed)
        step = mixed_step([None, None])
        ISD()(step)
        shares.append(share_of(step, [1, 0]))
    assert 0.02 < np.std(shares) < 0.06  # Beta(100, 100): 0.035
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)


def test_type_two_moves_the_mixture_only():
    step = mixed_step([None, None])
    method = ISD(type1_weight=0.0)
    left, right = (step.student(view).mask for view in VIEWS)
    mixed = step.detector.given.mask
    method.mask_terms(left, right, mixed, 0.3).backward()
    assert left.grad is None or (left.grad == 0).all()
    assert right.grad is None or (right.grad == 0).all()
    one_sided = (left > 0) != (right > 0)
    assert torch.equal(mixed.grad != 0, one_sided)


def test_type_one_moves_all_three():
    step = mixed_step([None, None])
    method = ISD(type1_weight=1.0)
    left, right = (step.student(view).mask for view in VIEWS)
    mixed = step.detector.given.mask
    both = (left > 0) & (right > 0)
    method.mask_terms(left, right, mixed, 0.3).backward()
    assert torch.equal(left.grad != 0, both) and torch.equal(right.grad != 0, both)
    assert (mixed.grad[both] != 0).all()
    neither = (left <= 0) & (right <= 0)
    assert (mixed.grad[neither] == 0).all()
