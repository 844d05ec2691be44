"""One training step of the full network on formula-defined clips: ours, written out.

What both should give is in tests/data/network/net_train.npz.
"""

from typing import NamedTuple

import numpy as np
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope

from ssvad.geometry import ViewGeometry
from tests import golden_network as golden
from tests.helpers import ROOT
from tests.oracle_network import network
from tests.oracle_step import Batch, Options, bce, step_losses

CASES = {  # name: (epoch, counted from 1; options; our config)
    'ep3_bvgv': (3, Options(bv=True, gv=True), 'ucf24_semi_both.py'),
    'ep12_bv': (12, Options(bv=True), 'ucf24_semi_var.py'),
}


class Found(NamedTuple):
    """What a step gives, under the released names."""

    losses: dict  # total, bce, dice, cls, cons
    logits: list  # of both views, (B, T, H, W)
    scores: list
    acts: np.ndarray  # (B, h * w, C) of the first view
    gradients: dict
    state: dict


def batch_of_the_reference():
    """One labelled clip of class 5, one unlabelled."""
    seed = golden.SEED
    clips = np.concatenate([golden.clips(seed + 62, 1), golden.clips(seed + 63, 1)])
    masks = np.concatenate([golden.masks(seed + 64, 1), golden.masks(seed + 65, 1)])
    return torch.from_numpy(clips).double(), torch.from_numpy(masks).double()


def written_out(case):
    """The step as tests/oracle_*.py write it out."""
    epoch, options, _ = CASES[case]
    state = golden.reference_state(golden.SEED + 60)
    weights = {
        key: value.requires_grad_()
        for key, value in state.items()
        if value.is_floating_point() and 'running' not in key
    }
    clips, masks = batch_of_the_reference()
    labeled, masks = torch.tensor([True, False]), masks[:, None]
    batch = Batch(clips, clips.flip(-1), torch.tensor([5, 0]), masks, labeled)
    outputs = []

    def model(*args):
        outputs.append(network(state, *args, options.thresh_epoch))
        return outputs[-1][:2]

    losses = step_losses(model, batch, options, epoch)
    losses.total.backward()
    parts = {key: value.item() for key, value in losses._asdict().items()}
    parts['bce'] = bce(outputs[0][0][:1], masks[:1]).item()
    parts['dice'] = parts.pop('loc') - parts['bce']
    return Found(
        parts,
        [out[0][:, 0].detach() for out in outputs],
        [out[1].detach() for out in outputs],
        outputs[0][2].detach(),
        {key: weight.grad for key, weight in weights.items()},
        {key: value.detach() for key, value in state.items()},
    )


def ours(case, dtype=torch.float64):
    """The step of our preset; gradients of all weights are kept."""
    epoch, _, config = CASES[case]
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/reference' / config).model
    cfg.detector.head.dropout = 0.0
    model = MODELS.build(cfg).to(dtype)
    model.detector.load_state_dict(golden.network_state(golden.SEED + 60))
    clips, masks = batch_of_the_reference()
    clips = clips.to(dtype)
    samples = [ActionDataSample().set_gt_label(5), ActionDataSample()]
    samples[0].set_field(masks[0].byte(), 'gt_mask')
    for sample in samples:
        views = dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
        sample.set_metainfo(dict(views=views))
    outputs = []
    model.detector.head.register_forward_hook(lambda *args: outputs.append(args[-1]))
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(epoch=epoch - 1, max_epochs=100))
    try:
        inputs = torch.stack([clips, clips.flip(-1)], dim=1)
        total, log = model.parse_losses(model(inputs, samples, mode='loss'))
    finally:
        hub.update_info_dict(dict(epoch=0, max_epochs=1))
    total.backward()
    losses = dict(
        total=total.item(),
        bce=log['loss_mask_bce'].item(),
        dice=log['loss_mask_dice'].item(),
        cls=log['loss_cls'].item(),
        cons=log['loss_cons_mask'].item() / 0.1,
    )
    parameters = dict(model.detector.named_parameters())
    state = model.detector.state_dict()
    names = golden.reference_state(0, state)
    return Found(
        losses,
        [out.mask.detach() for out in outputs],
        [out.scores.detach() for out in outputs],
        outputs[0].capsules.detach().flatten(2).transpose(1, 2),
        {
            key: parameters[golden.our_name(key)].grad
            for key in names
            if golden.our_name(key) in parameters
        },
        {key: state[golden.our_name(key)] for key in names},
    )


def expected(case):
    """The released values of a case by name."""
    data = golden.load('net_train')
    return {key[len(case) + 1 :]: data[key] for key in data if key.startswith(case)}


def loss_row(losses):
    """Total, localisation, class and consistency loss as they were recorded."""
    # the released code's cross entropy left its record in float32
    rounding = float(np.float32(losses['bce'])) - losses['bce']
    return [
        losses['total'] + rounding,
        losses['bce'] + losses['dice'] + rounding,
        losses['cls'],
        losses['cons'],
    ]


def gradient_norm(gradients, group):
    """Norm over the parameters of a group, named as released."""
    members = [
        gradient.double().norm().item()
        for key, gradient in gradients.items()
        if key == group or key.startswith(f'{group}.')
    ]
    return float(np.linalg.norm(members))
