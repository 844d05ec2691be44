"""All semi-supervised methods as the tests that hold for each of them see them.

A new method gets a row in ``METHODS`` here and is then tested by
``test_every_method.py``.
"""

from typing import NamedTuple, Optional

import torch
from mmaction.registry import MODELS

from tests.helpers import TINY_DETECTOR, make_batch

FLIP_PAIR = ('base', 'flip')
WEAK_STRONG = ('weak', 'strong')


class Case(NamedTuple):
    """A method and what is special about it.

    config: Of the method.
    terms: Its unsupervised loss terms, whose gradient must reach the student.
    views: That the pipeline makes.
    teacher: Config, if it needs one.
    own_terms: Further terms, which teach parts of the method itself.
    silent: Arguments with which it is supervised training.
    mixes: Whether it mixes clips at random, so that their order matters.
    """

    config: dict
    terms: tuple = ('loss_cons_mask',)
    views: tuple = FLIP_PAIR
    teacher: Optional[dict] = None
    own_terms: tuple = ()
    silent: dict = {'loss_weight': 0.0}
    mixes: bool = False


def consistency(*terms, **config):
    terms = terms or ('loss_cons_mask',)
    return Case(dict(type='SemiSupConsistency', **config), terms)


def with_teacher(*terms, own_terms=(), **config):
    return Case(config, terms, WEAK_STRONG, dict(decay=0.9), own_terms)


MASK, CLASS = 'loss_cons_mask', 'loss_cons_cls'
METHODS = {
    'l2': consistency(),
    'variance': consistency(
        attention=dict(type='CyclicVariance', window=3, ramped=False)
    ),
    'variance+l2': consistency(attention=dict(type='CyclicVariance')),
    'gradient': consistency(attention=dict(type='GradientSmoothness')),
    'both': consistency(
        attention=[dict(type='CyclicVariance'), dict(type='GradientSmoothness')]
    ),
    'released': consistency(
        attention=[
            dict(type='CyclicVariance', both_directions=True),
            dict(type='GradientSmoothness', signed=True, batch_mean=True),
        ]
    ),
    'own variance': consistency(attention=dict(type='TemporalVariance')),
    'probabilities': consistency(on='probabilities'),
    'l2+class': consistency(MASK, CLASS, mask_weight=0.7, class_weight=0.3),
    'class': consistency(CLASS, mask_weight=0, class_weight=1.0),
    'released class': consistency(
        CLASS, mask_weight=0, class_weight=1.0, class_form='kl'
    ),
    'target': consistency(MASK, CLASS, class_weight=0.3, target='base'),
    'mean teacher': with_teacher(MASK, type='MeanTeacher'),
    'stable mean teacher': with_teacher(
        MASK,
        'loss_cons_recovered',
        own_terms=('loss_recovery_bce', 'loss_recovery_dice'),
        type='StableMeanTeacher',
        recovery=dict(type='ErrorRecovery', width=2, dropout=0.0),
    ),
    'released stable mean teacher': with_teacher(
        MASK,
        'loss_cons_recovered',
        own_terms=('loss_recovery_bce', 'loss_recovery_dice'),
        type='StableMeanTeacher',
        recovery=dict(type='ErrorRecovery', width=2, dropout=0.0),
        balance='ramped_sum',
        recover_all=True,
    )._replace(teacher=dict(buffers='own', mode='train')),
    'stable mean teacher without recovery': with_teacher(
        MASK, type='StableMeanTeacher', recovery=None
    ),
    'fft mean teacher': with_teacher(MASK, type='FFTMeanTeacher'),
    'cepm': with_teacher(
        MASK,
        CLASS,
        own_terms=('loss_enhanced_cls',),
        type='CEPM',
        entropy=(0.7, 0.7),
        enhancement=dict(
            type='ClassFeatureEnhancement', num_classes=3, channels=68, positions=4
        ),
        enhancement_from=1,
    )._replace(silent=dict(loss_weight=0.0, enhancement_weight=0.0)),
    'csd': Case(dict(type='CSD'), (CLASS,)),
    'csd with masks': Case(dict(type='CSD', mask_weight=1.0), (CLASS, MASK)),
    'isd': Case(
        dict(type='ISD'), (CLASS, MASK, 'loss_mix_mask', 'loss_mix_cls'), mixes=True
    ),
    'pseudo-label': Case(
        dict(type='PseudoLabel', class_thr=0.0, mask_thr=0.0),
        ('loss_pseudo_cls', 'loss_pseudo_mask_bce', 'loss_pseudo_mask_dice'),
        ('base',),
    ),
    'mixmatch': Case(
        dict(type='MixMatch'),
        ('loss_unsup_cls', 'loss_unsup_mask'),
        WEAK_STRONG,
        mixes=True,
    ),
}
UNSUPERVISED = [(name, term) for name, case in METHODS.items() for term in case.terms]


def build(name='variance+l2', joint_views=False, **kwargs):
    """A SemiDetector whose teacher, if any, has moved away from the student."""
    torch.manual_seed(0)
    case = METHODS[name]
    model = MODELS.build(
        dict(
            type='SemiDetector',
            detector=TINY_DETECTOR,
            method=dict(case.config, **kwargs),
            teacher=case.teacher,
            joint_views=joint_views,
        )
    )
    with torch.no_grad():  # foreground and background in untrained masks
        model.detector.head.smooth.bias.fill_(-0.005)
    if case.teacher is not None:
        model.update_teacher()
        with torch.no_grad():
            for parameter in model.teacher.parameters():
                parameter.mul_(1.05)
    return model


def batch(name, labels):
    """A batch with the views that the method needs."""
    return make_batch(labels, views=METHODS[name].views)


def losses_of(model, inputs, samples, seed=0):
    torch.manual_seed(seed)
    return {k: v.item() for k, v in model(inputs, samples, mode='loss').items()}
