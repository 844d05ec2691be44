"""Training by our presets follows the released training loop, step by step.

The presets are shrunk to a small network; model, data preprocessor, optimiser, learning
rate and the count of epochs are what a training gets from them through mmengine. The
other side is the written-out network, step and loop. All in float64.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Sampler

from ssvad.geometry import ViewGeometry
from tests import golden_network as golden
from tests.helpers import ROOT
from tests.oracle_network import network
from tests.oracle_step import Batch, Options, train
from tests.toy_run import forget_runs

# gigabytes each, so one after the other
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('memory')]
EPOCHS, ITERATIONS, SIZE = 10, 2, 48
SHRUNK = dict(
    num_classes=4,
    in_channels=(16, 48, 208),
    kernel_size=3,
    decoder_channels=8,
    dropout=0.0,
)
PRESETS = dict(var=dict(bv=True), grad=dict(gv=True), both=dict(bv=True, gv=True))


def make_clips():
    """uint8 clips of all epochs; in each batch two are labelled, then two are not."""
    rng = np.random.RandomState(0)
    count = EPOCHS * ITERATIONS * 4
    clips = 255 * golden.clips(golden.SEED + 70, count, size=SIZE)
    masks = golden.masks(golden.SEED + 71, count, size=SIZE)
    return torch.from_numpy(clips.astype(np.uint8)), masks, rng.randint(0, 4, count)


CLIPS, MASKS, ACTIONS = make_clips()


def released_batches(epochs):
    """The batches of every epoch as the written-out loop takes them."""
    result = []
    for epoch in range(epochs):
        starts = [4 * (epoch * ITERATIONS + i) for i in range(ITERATIONS)]
        result.append([])
        for rows in (slice(start, start + 4) for start in starts):
            clips = CLIPS[rows].double() / 255
            masks = torch.from_numpy(MASKS[rows, None]).double()
            labeled = torch.tensor([True, True, False, False])
            actions = torch.from_numpy(ACTIONS[rows])
            result[-1].append(Batch(clips, clips.flip(-1), actions, masks, labeled))
    return result


class Clips(torch.utils.data.Dataset):
    """The same clips as our pipelines pack them."""

    def __len__(self):
        return 4 * ITERATIONS

    def __getitem__(self, index):
        sample = ActionDataSample()
        if index % 4 < 2:
            sample.set_gt_label(int(ACTIONS[index]))
            sample.set_field(torch.from_numpy(MASKS[index]).byte(), 'gt_mask')
        views = dict(base=ViewGeometry(), flip=ViewGeometry(hflip=True))
        sample.set_metainfo(dict(views=views))
        clip = CLIPS[index]
        return dict(inputs=torch.stack([clip, clip.flip(-1)]), data_samples=sample)


class InOrder(Sampler):
    """New clips in every epoch."""

    def __init__(self, dataset):
        self.size, self.epoch = len(dataset), 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter(range(self.epoch * self.size, (self.epoch + 1) * self.size))

    def __len__(self):
        return self.size


class Recorder(Hook):
    """Keep epoch, learning rate and the four losses of every iteration."""

    def __init__(self):
        self.history = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = {key: value.item() for key, value in outputs.items()}
        row = (
            loss['loss'],
            loss['loss_mask_bce'] + loss['loss_mask_dice'],
            loss['loss_cls'],
            loss['loss_cons_mask'] / 0.1,
        )
        (lr,) = runner.optim_wrapper.get_lr()['lr']
        self.history.append((runner.epoch + 1, lr, row))


def preset(name, **overrides):
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / f'configs/reference/ucf24_semi_{name}.py')
    cfg.model.detector.backbone.update(width=0.25, init_cfg=None)
    cfg.model.detector.head.update(SHRUNK)
    cfg.model.detector.warmup_epochs = 4
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.merge_from_dict(overrides)
    return cfg


def train_ours(cfg, work_dir):
    """Train by a preset.

    Returns:
        The history, and the detector's final state under our names.
    """
    model = MODELS.build(cfg.model).double()
    start = golden.network_state(golden.SEED + 72, model.detector.state_dict())
    model.detector.load_state_dict(start)
    dataset, recorder = Clips(), Recorder()
    loader = DataLoader(dataset, 4, sampler=InOrder(dataset), collate_fn=pseudo_collate)
    forget_runs()
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=loader,
        train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        default_hooks=dict(logger=None, checkpoint=None),
        custom_hooks=[recorder],
        default_scope='mmaction',
        log_level='ERROR',
    )
    runner.train()
    forget_runs()
    init_default_scope('mmaction')
    return recorder.history, model.detector.state_dict()


def train_released(options, like):
    """Train by the written-out loop.

    Returns:
        The history, and the final state under the released names.
    """
    state = golden.reference_state(golden.SEED + 72, like)
    weights = [
        value.requires_grad_()
        for key, value in state.items()
        if value.is_floating_point() and 'running' not in key
    ]

    def model(*args):
        return network(state, *args, options.thresh_epoch)[:2]

    history = train(model, weights, released_batches(options.epochs), options)
    return history, state


class Errors(NamedTuple):
    """Largest differences of two trainings."""

    total: float  # relative, at any step
    terms: float  # the same of localisation, class and consistency loss
    weights: float  # absolute, at the end


# Rounding doubles with every step: the written-out loop drifts from itself by 5e-10,
# 1.2e-8 and 8e-10 if its first weights are moved by one unit in the last place.
DRIFT = Errors(1e-8, 1e-7, 1e-8)


def errors(ours, theirs):
    """Of trainings of the same epochs and learning rates."""
    (history, state), (released, expected) = ours, theirs
    assert [row[:2] for row in history] == [row[:2] for row in released]
    losses, targets = (np.array([row[2] for row in h]) for h in (history, released))
    total, *terms = np.abs(losses / targets - 1).max(0)
    weights = max(
        (state[golden.our_name(key)].reshape(value.shape) - value).abs().max().item()
        for key, value in expected.items()
    )
    return Errors(total, max(terms), weights)


def within(found, limits):
    return all(error < limit for error, limit in zip(found, limits))


@pytest.mark.parametrize('name', PRESETS)
def test_training_follows_the_released_loop(name, tmp_path):
    ours = train_ours(preset(name), tmp_path)
    options = Options(epochs=EPOCHS, thresh_epoch=5, **PRESETS[name])
    found = errors(ours, train_released(options, ours[1]))
    assert within(found, DRIFT), found
    assert len(ours[0]) == EPOCHS * ITERATIONS and ours[0][-1][0] == EPOCHS
    start = golden.network_state(golden.SEED + 72, ours[1])
    moved = [(ours[1][key] - start[key]).abs().max() for key in start]
    assert max(moved) > 1e-3


def test_learning_rate_falls_with_the_released_one(tmp_path):
    ours = train_ours(preset('l2', **{'param_scheduler.patience': 1}), tmp_path)
    options = Options(epochs=EPOCHS, thresh_epoch=5, patience=1)
    found = errors(ours, train_released(options, ours[1]))
    assert within(found, DRIFT), found
    rates = [lr for _, lr, _ in ours[0]]
    assert rates[0] == 1e-4 and rates[-1] < 2e-5


SLIPS = {
    'one division': {'model.detector.loss_cls.divide_twice': False},
    'one variance map': {'model.method.attention.0.both_directions': False},
    'shorter window': {'model.method.attention.0.window': 3},
    'magnitude': {'model.method.attention.1.signed': False},
    'own gradient map': {'model.method.attention.1.batch_mean': False},
    'ramp from 0': {'model.method.first_epoch': 0},
    'gate too long open': {'model.detector.warmup_epochs': 2},
    'eps of Adam': {'optim_wrapper.optimizer.eps': 1e-8},
}


@pytest.fixture(scope='module')
def short_run(tmp_path_factory):
    """Two epochs of our training and of the released loop."""
    right = {'train_cfg.max_epochs': 2, 'model.detector.warmup_epochs': 1}
    ours = train_ours(preset('both', **right), tmp_path_factory.mktemp('short'))
    options = Options(epochs=2, thresh_epoch=2, **PRESETS['both'])
    released = train_released(options, ours[1])
    found = errors(ours, released)
    assert within(found, Errors(1e-11, 1e-11, 1e-11)), found
    return right, released


@pytest.mark.parametrize('slip', SLIPS)
def test_a_slip_shows(slip, short_run, tmp_path):
    right, released = short_run
    ours = train_ours(preset('both', **{**right, **SLIPS[slip]}), tmp_path)
    assert max(errors(ours, released)) > 1e-6
