"""One step with a linear stand-in for the network against the released step."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from ssvad.geometry import ViewGeometry
from ssvad.models import DetOutput, MaskDetector
from ssvad.models.semi import consistency
from tests import golden_network as golden
from tests.helpers import TINY_DETECTOR
from tests.oracle_step import Batch, Options, bce, step_losses

EXPECTED = golden.load('semi_loss_stub')
WEIGHTS = {  # loc, cls, cons
    'bv_n5_sig_th0_r0.75': (2, 0.5, 1),
    'gv_n5_raw_th1_r0.3': (1, 1, 1),
}


def options_of(key):
    """What the name of a case says, and its ramp."""
    mode, frames, kind, thresholds, ramp = key.split('_')
    loc, cls, cons = WEIGHTS.get(key, (1, 1, 0.1))
    options = Options(
        bv='bv' in mode,
        gv='gv' in mode,
        n_frames=int(frames[1:]),
        predict_maps=kind == 'sig',
        thresholds=(0.3, 0.7) if thresholds == 'th1' else (None, None),
        wt_loc=loc,
        wt_cls=cls,
        wt_cons=cons,
    )
    return options, float(ramp[1:])


def two_and_two(generate, *seeds):
    """Two labelled clips' arrays, then two of unlabelled ones."""
    parts = [generate(golden.SEED + seed, 2) for seed in seeds]
    return torch.from_numpy(np.concatenate(parts)).double()


@pytest.fixture(scope='module')
def batch():
    actions = [
        np.random.RandomState(golden.SEED + seed).randint(0, 24, (2, 1))[:, 0]
        for seed in (46, 47)
    ]
    return Batch(
        clips=two_and_two(golden.clips, 40, 41),
        flipped=two_and_two(golden.clips, 42, 43),
        actions=torch.from_numpy(np.concatenate(actions)),
        masks=two_and_two(golden.masks, 44, 45)[:, None],
        labeled=torch.tensor([True, True, False, False]),
    )


class Linear(torch.nn.Module):
    """Clips (B, 3, T, H, W) to mask logits (B, T, H, W) and class scores."""

    def __init__(self):
        super().__init__()
        w, self.b, v0, self.v1 = golden.stub_weights(golden.SEED + 48)
        self.w, self.v0 = torch.nn.Parameter(w), torch.nn.Parameter(v0)

    def forward(self, clips):
        logits = torch.einsum('c,bcthw->bthw', self.w, clips) - self.b
        brightness = clips[:, 0].mean((1, 2, 3))[:, None]
        return logits, torch.sigmoid(0.5 * (brightness * self.v0 + self.v1))


class LinearDetector(MaskDetector):
    """The losses of MaskDetector on the linear network; its own network rests."""

    def __init__(self, **kwargs):
        parts = {part: TINY_DETECTOR[part] for part in ('backbone', 'head')}
        super().__init__(**parts, **kwargs)
        self.linear = Linear()

    def detect(self, clips, data_samples=None):
        mask, scores = self.linear(clips)
        return DetOutput(mask, scores, scores[..., None, None, None])


def vector(total, loc, cls, cons, linear):
    """As stored: losses without their weights, then two gradients."""
    total.backward()
    losses = [value.item() for value in (total, loc, cls, cons)]
    return np.concatenate([losses, linear.w.grad, linear.v0.grad[:4]])


def compare(found, key, cross_entropy, wt_loc):
    """Exact but for the cross entropy, whose record was rounded to float32."""
    rounding = float(np.float32(cross_entropy)) - cross_entropy
    found[0] += wt_loc * rounding
    found[1] += rounding
    np.testing.assert_allclose(found, EXPECTED[key], 1e-12, 0)


@pytest.mark.parametrize('key', EXPECTED)
def test_written_out_step_meets_the_reference(batch, key):
    options, ramp = options_of(key)
    linear = Linear()

    def model(clips, *_):
        logits, scores = linear(clips)
        return logits[:, None], scores

    losses = step_losses(model, batch, options, epoch=1, ramp=ramp)
    rows = batch.labeled
    cross_entropy = bce(model(batch.clips)[0][rows], batch.masks[rows]).item()
    compare(vector(*losses, linear), key, cross_entropy, options.wt_loc)


def our_attention(options):
    attention = []
    if options.bv:
        attention.append(
            dict(
                type='CyclicVariance',
                window=options.n_frames,
                on='probabilities' if options.predict_maps else 'logits',
                both_directions=True,
            )
        )
    if options.gv:
        attention.append(
            dict(
                type='GradientSmoothness',
                signed=True,
                batch_mean=True,
                thresholds=options.thresholds,
            )
        )
    return attention


def our_samples(batch):
    views = dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
    samples = []
    for action, mask, labeled in zip(batch.actions, batch.masks, batch.labeled):
        sample = ActionDataSample(metainfo=dict(views=views))
        if labeled:
            sample.set_gt_label(action.item())
            sample.set_field(mask[0].byte(), 'gt_mask')
        samples.append(sample)
    return samples


@pytest.mark.parametrize('key', EXPECTED)
def test_our_step_meets_the_reference(batch, key, monkeypatch):
    options, ramp = options_of(key)
    monkeypatch.setattr(consistency, 'sigmoid_ramp', lambda *args: ramp)
    loc, cls, cons = options.wt_loc, options.wt_cls, options.wt_cons
    detector = dict(
        type=LinearDetector,
        loss_cls=dict(type='SpreadLoss', divide_twice=True, loss_weight=cls),
        loss_mask=dict(type='MaskLoss', bce_weight=loc, dice_weight=loc),
    )
    method = dict(
        type='SemiSupConsistency', attention=our_attention(options), loss_weight=cons
    )
    model = MODELS.build(dict(type='SemiDetector', detector=detector, method=method))
    inputs = torch.stack([batch.clips, batch.flipped], dim=1)
    losses = model.double()(inputs, our_samples(batch), mode='loss')
    found = vector(
        sum(losses.values()),
        (losses['loss_mask_bce'] + losses['loss_mask_dice']) / loc,
        losses['loss_cls'] / cls,
        losses['loss_cons_mask'] / cons,
        model.detector.linear,
    )
    compare(found, key, losses['loss_mask_bce'].item() / loc, loc)
