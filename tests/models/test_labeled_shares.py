"""How much of a consistency term labelled clips make."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS

from ssvad.ramps import Progress
from tests.models.fakes import FakeStep
from tests.models.methods import METHODS

SPLIT = [
    name
    for name, case in METHODS.items()
    if case.config['type'] != 'CEPM'
    and not case.mixes
    and any(term.startswith('loss_cons_') for term in case.terms)
]
KNOWN = st.lists(st.booleans(), min_size=1, max_size=4)


def made(name):
    config = dict(METHODS[name].config)
    if 'recovery' in config:  # random, and compared like the teacher itself
        config['recovery'] = None
    return MODELS.build(config)


def outcome(name, known, spoiled=False):
    """Terms and shares, also with other outputs for unlabelled clips.

    The outputs of a clip are the same whether it is labelled or not.
    """
    labels = [0 if yes else None for yes in known]
    case = METHODS[name]
    step = FakeStep(labels, Progress(1, 4, 500, 1000), case.views, size=(8, 4, 4))
    if spoiled:
        outputs = step._teacher_outputs if case.teacher else step._outputs
        second = outputs['weak' if case.teacher else 'flip']
        with torch.no_grad():
            second.mask[~step.labeled] *= -3
            second.capsules[~step.labeled] = 0.5
    return made(name)(step), step.labeled_shares


@pytest.mark.parametrize('name', SPLIT)
@settings(max_examples=6)
@given(known=KNOWN)
def test_shares_of_both_kinds_are_the_term(name, known):
    terms, labeled = outcome(name, known)
    again, unlabeled = outcome(name, [not yes for yes in known])
    assert set(labeled) == set(terms) and terms
    for key, value in terms.items():
        assert value == again[key]
        assert not labeled[key].requires_grad
        both = labeled[key] + unlabeled[key]
        torch.testing.assert_close(both, value.detach(), rtol=1e-9, atol=1e-12)
        if all(known):
            assert labeled[key] == value and unlabeled[key] == 0


@pytest.mark.parametrize('name', SPLIT)
def test_other_clips_do_not_matter(name):
    terms, shares = outcome(name, [True, False, False])
    other_terms, others = outcome(name, [True, False, False], spoiled=True)
    for key, share in shares.items():
        assert share != 0 and share == others[key]
        assert terms[key] != other_terms[key]
