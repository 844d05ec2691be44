"""MixMatch against its formulas, written out slowly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssvad.models import MixMatch
from ssvad.models.semi.mixmatch import sharpen, sharpen_mask
from ssvad.ramps import Progress
from tests.models.fakes import FakeStep, output

VIEWS = ('weak', 'strong')


class Mixer:
    """A detector whose output on N clips is given; keeps what it is asked."""

    def class_gate(self, scores, samples):
        """Truth of labelled clips; of others something that tells the views apart."""
        gate = scores.detach().clone()
        for row, sample in zip(gate, samples):
            if 'gt_label' in sample:
                row.zero_()[int(sample.gt_label)] = 1
        return gate

    def detect(self, clips, gate):
        self.clips, self.gate = clips, gate
        given = output(len(clips), seed=5)
        self.given = type(given)(*(x.requires_grad_() for x in given))
        return self.given


def step_of(labels, done=0.2):
    return FakeStep(labels, Progress(0, 1, int(1000 * done), 1000), VIEWS, Mixer())


def numbers(values):
    return values.detach().numpy()


def unmixed(step, temperature):
    """Clip, class distribution, mask and gate of L labelled, U weak, U strong views."""
    weak, strong = (step.student(view) for view in VIEWS)
    gates = [step.detector.class_gate(x.scores, step.samples) for x in (weak, strong)]
    rows = {'labeled': [], 'weak': [], 'strong': []}
    for b, sample in enumerate(step.samples):
        if 'gt_label' in sample:
            classes = np.eye(3)[int(sample.gt_label)]
            masks = sample.gt_mask.numpy().astype(float)
            clip = numbers(step.clips('strong')[b])
            rows['labeled'].append((clip, classes, masks, numbers(gates[1][b])))
            continue
        shares = [numbers(x.scores[b]) for x in (weak, strong)]
        classes = sum(s / s.sum() for s in shares) / 2
        classes = classes ** (1 / temperature)
        prob = sum(1 / (1 + np.exp(-numbers(x.mask[b]))) for x in (weak, strong)) / 2
        power, rest = prob ** (1 / temperature), (1 - prob) ** (1 / temperature)
        for view, gate in zip(VIEWS, gates):
            clip = numbers(step.clips(view)[b])
            target = (classes / classes.sum(), power / (power + rest))
            rows[view].append((clip, *target, numbers(gate[b])))
    return [*rows['labeled'], *rows['weak'], *rows['strong']]


def partner_and_share(clip, own, clips):
    """Whom a mixture has inside, by trying all; a clip may be mixed with itself."""
    for j, other in enumerate(clips):
        if np.array_equal(clip, own):
            return None, 1.0
        if other is own:
            continue
        shares = (clip - other) / (own - other)
        if np.ptp(shares) < 1e-6:
            return j, shares.mean()
    raise AssertionError('no mixture of two clips')


def by_hand(step, temperature):
    parts = unmixed(step, temperature)
    given = step.detector.given
    labeled = int(step.labeled.sum())
    cross, bce, squares, classes, truth, prob = [], [], [], [], [], []
    shares = []
    for i, (clip, own, *rest) in enumerate(parts):
        mixture = numbers(step.detector.clips[i])
        j, share = partner_and_share(mixture, clip, [part[0] for part in parts])
        shares.append(share)
        other = parts[i if j is None else j]
        mixed = [share * a + (1 - share) * b for a, b in zip((own, *rest), other[1:])]
        target, mask, gate = mixed
        np.testing.assert_allclose(numbers(step.detector.gate[i]), gate, atol=1e-6)
        scores = numbers(given.scores[i])
        scores = scores / scores.sum()
        p = 1 / (1 + np.exp(-numbers(given.mask[i])))
        if i < labeled:
            cross.append(-sum(target * np.log(scores)))
            bce.append(-(mask * np.log(p) + (1 - mask) * np.log(1 - p)).mean())
            truth.append(mask), prob.append(p)
        else:
            classes.append(((scores - target) ** 2).mean())
            squares.append(((p - mask) ** 2).mean())
    overlap = sum((a * b).sum() for a, b in zip(truth, prob))
    total = sum(a.sum() + b.sum() for a, b in zip(truth, prob))
    losses = dict(
        loss_cls=np.mean(cross or [0]),
        loss_mask_bce=np.mean(bce or [0]),
        loss_mask_dice=1 - (2 * overlap + 1) / (total + 1),
        loss_unsup_cls=np.mean(classes or [0]),
        loss_unsup_mask=np.mean(squares or [0]),
    )
    return losses, shares


@pytest.mark.parametrize(
    'labels', [[0, None, 2, None], [None, 1, None], [None, None], [0, 1, 1]]
)
@pytest.mark.parametrize('done', [0.2, 0.7])
def test_losses_equal_their_formulas(labels, done):
    step = step_of(labels, done)
    torch.manual_seed(len(labels))
    losses = MixMatch(loss_weight=3.0, temperature=0.7, rampup=0.4)(step)
    expected, shares = by_hand(step, 0.7)
    for name in ('loss_unsup_cls', 'loss_unsup_mask'):
        expected[name] *= 3 * min(1, done / 0.4)
    assert {k: v.item() for k, v in losses.items()} == pytest.approx(expected, rel=1e-5)
    assert all(0.5 <= share <= 1 for share in shares)
    assert len(shares) == sum(1 if label is not None else 2 for label in labels)


def test_partners_and_shares_are_drawn_clip_by_clip():
    torch.manual_seed(0)
    step = step_of([0, 1, None, None, None])
    MixMatch()(step)
    shares = by_hand(step, 0.5)[1]
    assert len({round(share, 4) for share in shares}) > 4


def test_targets_are_constants():
    step = step_of([0, None])
    losses = MixMatch()(step)
    sum(losses.values()).backward()
    guesses = [field for view in VIEWS for field in step.student(view)]
    assert all(field.grad is None for field in guesses)
    assert (step.detector.given.mask.grad != 0).all()


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=5), st.floats(0.2, 1))
def test_sharpening_keeps_the_order_and_lowers_the_entropy(values, temperature):
    before = torch.tensor(values, dtype=torch.float64)[None]
    before = before / before.sum()
    after = sharpen(before, temperature)
    assert after.sum().item() == pytest.approx(1)
    pairs = zip(before[0].argsort().tolist(), after[0].argsort().tolist())
    assert all(before[0, i] == pytest.approx(before[0, j].item()) for i, j in pairs)
    entropies = [-(p * p.clamp(min=1e-300).log()).sum() for p in (before, after)]
    assert entropies[1] <= entropies[0] + 1e-9


def test_a_mask_is_sharpened_against_its_background():
    prob = torch.tensor([0.0, 0.2, 0.5, 1.0])
    expected = [0, 0.04 / (0.04 + 0.64), 0.5, 1]
    assert sharpen_mask(prob, 0.5).tolist() == pytest.approx(expected)
    both = sharpen_mask(prob, 0.5) + sharpen_mask(1 - prob, 0.5)
    assert both.tolist() == pytest.approx([1, 1, 1, 1])
