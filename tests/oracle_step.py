"""One training step's losses and the training loop of the released code, written out.

Literal and slow; the attention maps are NumPy loops over frames. The released code puts
a random permutation on the batch first, which changes no loss and is left out. It keeps
attention maps in float32, here they are float64.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch


@dataclass
class Options:
    """Command line of the released training script."""

    bv: bool = False
    gv: bool = False
    n_frames: int = 5
    predict_maps: bool = False
    thresholds: tuple = (None, None)
    wt_loc: float = 1.0
    wt_cls: float = 1.0
    wt_cons: float = 0.1
    bv_wt: float = 0.5
    gv_wt: float = 0.5
    epochs: int = 100
    thresh_epoch: int = 11
    lr: float = 1e-4
    patience: int = 5


class Batch(NamedTuple):
    """Labelled clips first; truth of unlabelled rows is there but must not count."""

    clips: torch.Tensor  # (B, 3, T, H, W)
    flipped: torch.Tensor  # (B, 3, T, H, W)
    actions: torch.Tensor  # (B,)
    masks: torch.Tensor  # (B, 1, T, H, W)
    labeled: torch.Tensor  # (B,) bool


class Losses(NamedTuple):
    total: torch.Tensor
    loc: torch.Tensor
    cls: torch.Tensor
    cons: torch.Tensor


def exp_rampup(epoch, epochs):
    """Weight of the variance masks; the first epoch has number 1."""
    if epoch >= epochs:
        return 1.0
    return math.exp(-5 * (1 - epoch / epochs) ** 2)


def spread(scores, actions, margin=0.2):
    count, total = len(scores), 0.0
    for row, action in zip(scores, actions):
        for score in row:  # the true class too: it adds margin ** 2
            total = total + torch.clamp(margin - (row[action] - score), min=0) ** 2
    return (total / count - margin**2) / count


def bce(logits, target):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def dice(logits, target):
    p, t = torch.sigmoid(logits).flatten(), target.flatten()
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def rescaled(maps):
    """Each clip of (B, T, H, W) to [0, 1]."""
    maps = maps.copy()
    for clip in maps:
        clip -= clip.min()
        clip /= clip.max() + 1e-7
    return maps


def ring_variance(first, backward, n_frames, use_sigmoid):
    """Maps (B, T, H, W) of one view and the other in reversed time."""
    if use_sigmoid:
        first, backward = (1 / (1 + np.exp(-x)) for x in (first, backward))
    frames = first.shape[1]
    ring = [first[:, t] for t in range(frames)]
    ring += [backward[:, t] for t in range(1, frames - 1)]
    var = []
    for k in range(len(ring)):
        window = range(k - n_frames // 2, k + n_frames // 2 + 1)
        var.append(np.var([ring[i % len(ring)] for i in window], axis=0))
    maps = np.empty_like(first)
    for t in range(frames):
        if t in (0, frames - 1):
            maps[:, t] = 2 * var[t]
        else:
            maps[:, t] = var[t] + var[len(ring) - t]
    return rescaled(maps)


def gradient_map(logits, thresholds):
    lower, upper = thresholds
    p = 1 / (1 + np.exp(-logits))
    if lower is not None:
        p[p < lower] = 0
    if upper is not None:
        p[p > upper] = 1
    return rescaled(np.gradient(np.gradient(p, axis=1), axis=1))


def weighted_mse(x, y, weight):
    """As PyTorch broadcasts: a weight without colour axis meets every clip."""
    return (weight * (x - y) ** 2).mean()


def consistency(out, flipped_out, options, ramp):
    """Logits (B, 1, T, H, W) of both views, each as its view shows it."""
    al = flipped_out.flip(4)
    first, second = out.detach()[:, 0].numpy(), al.detach()[:, 0].numpy()
    l2 = ((al - out) ** 2).mean()
    if options.bv:
        how = options.n_frames, options.predict_maps
        clock = ring_variance(first, second[:, ::-1], *how)
        anticlock = ring_variance(first[:, ::-1], second, *how)[:, ::-1]
        attended = sum(
            weighted_mse(al, out, torch.from_numpy(maps.copy())[:, None])
            for maps in (clock, anticlock)
        )
        bv = ramp * attended + (1 - ramp) * l2
    if options.gv:
        maps = torch.from_numpy(gradient_map(first, options.thresholds))
        gv = weighted_mse(al, out, maps)  # (B, T, H, W) against (B, 1, T, H, W)
    if options.bv and options.gv:
        return options.bv_wt * bv + options.gv_wt * gv
    if options.bv:
        return bv
    return gv if options.gv else l2


def step_losses(model, batch, options, epoch, ramp=None):
    """Losses of one iteration.

    ``model(clips, actions, labeled, epoch)`` gives logits and class scores. ``ramp``
    overrides the weight that belongs to ``epoch``.
    """
    if ramp is None:
        ramp = exp_rampup(epoch, options.epochs)
    out, scores = model(batch.clips, batch.actions, batch.labeled, epoch)
    flipped_out, _ = model(batch.flipped, batch.actions, batch.labeled, epoch)
    rows = batch.labeled
    loc = bce(out[rows], batch.masks[rows]) + dice(out[rows], batch.masks[rows])
    cls = spread(scores[rows], batch.actions[rows])
    cons = consistency(out, flipped_out, options, ramp)
    total = options.wt_loc * loc + options.wt_cls * cls + options.wt_cons * cons
    return Losses(total, loc, cls, cons)


def train(model, parameters, epochs_of_batches, options):
    """The released loop: Adam, and the plateau of the epoch's mean training loss.

    Returns:
        One row (epoch, learning rate, Losses) for each iteration.
    """
    optimizer = torch.optim.Adam(parameters, lr=options.lr, eps=1e-6, weight_decay=0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode='min', factor=0.1, patience=options.patience, min_lr=1e-7
    )
    history = []
    for epoch, batches in enumerate(epochs_of_batches, start=1):
        totals = []
        for batch in batches:
            optimizer.zero_grad()
            losses = step_losses(model, batch, options, epoch)
            losses.total.backward()
            optimizer.step()
            totals.append(losses.total.item())
            lr = optimizer.param_groups[0]['lr']
            history.append((epoch, lr, Losses(*(v.item() for v in losses))))
        scheduler.step(np.mean(totals))
    return history
