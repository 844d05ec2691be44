"""A run that is resumed within an epoch equals one that was never interrupted."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ssvad.engine.epoch_seed_hook import mix_seeds
from ssvad.engine.mid_epoch_loader import ITERATION, PlacedBatches, PlacedDataset
from tests.noisy_run import (
    Left,
    NoisyNumbers,
    assert_equal,
    last_state,
    noisy_config,
)
from tests.toy_run import forget_runs

LENGTH = 10  # batches an epoch


class PlaceHook(Hook):
    """Keeps the number of each batch in its epoch and torch's seed for it."""

    def __init__(self):
        self.batches, self.seeds = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.batches.append(batch_idx)
        self.seeds.append(torch.initial_seed())


def slow(*values):
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


def train(folder, resume=False, leave=None, **changes):
    forget_runs()
    cfg = noisy_config(folder, resume=resume, **changes)
    if leave is not None:
        cfg.custom_hooks.append(dict(type='LeaveHook', after=leave))
    NoisyNumbers.loaded.clear()
    runner = Runner.from_cfg(cfg)
    runner.register_hook(PlaceHook())
    try:
        runner.train()
    except Left:
        pass
    return runner


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    train(folder)
    return last_state(folder)


# within, at the end, and at the start of an epoch
@pytest.mark.parametrize('leave', [5, *slow(12), 20, *slow(25)])
def test_resumed_run_equals_the_uninterrupted_one(whole, tmp_path, leave):
    train(tmp_path, leave=leave)
    saved = leave // 4 * 4
    assert (tmp_path / 'last_checkpoint').read_text().endswith(f'iter_{saved}.pth')
    runner = train(tmp_path, resume=True)
    assert runner.iter == 3 * LENGTH
    # what was done is not loaded again
    assert len(NoisyNumbers.loaded) == (3 * LENGTH - saved) * 4
    assert_equal(last_state(tmp_path), whole)
    (places,) = (hook for hook in runner.hooks if isinstance(hook, PlaceHook))
    left = range(saved, 3 * LENGTH)
    # hooks see the same numbers as without interruption
    assert places.batches == [number % LENGTH for number in left]
    assert places.seeds == [mix_seeds(ITERATION, 3, number, 0) for number in left]


def test_uninterrupted_run_differs_where_it_should(whole, tmp_path):
    train(tmp_path, **{'randomness.seed': 4})
    other = last_state(tmp_path)
    key = 'detector.0.weight'
    assert not torch.equal(other['state_dict'][key], whole['state_dict'][key])
    losses = whole['message_hub']['log_scalars']['train/loss_cons']
    assert len(set(losses)) == len(losses) == 3 * LENGTH
    assert whole['param_schedulers'][1]['num_bad_epochs'] >= 0


@pytest.mark.slow
@pytest.mark.parametrize('persistent', [False, True])
def test_number_and_life_of_workers_do_not_matter(whole, tmp_path, persistent):
    workers = {
        'train_dataloader.num_workers': 2,
        'train_dataloader.persistent_workers': persistent,
    }
    train(tmp_path, leave=14, **workers)
    train(tmp_path, resume=True, **workers)
    assert_equal(last_state(tmp_path), whole)


@pytest.mark.parametrize('leave', [9, *slow(17)])
def test_accumulated_gradients_are_kept_whole(tmp_path, leave):
    accumulate = {'optim_wrapper.accumulative_counts': 4}
    train(tmp_path / 'whole', **accumulate)
    train(tmp_path / 'cut', leave=leave, **accumulate)
    train(tmp_path / 'cut', resume=True, **accumulate)
    assert_equal(last_state(tmp_path / 'cut'), last_state(tmp_path / 'whole'))


def test_saving_on_demand_waits_for_accumulated_gradients(tmp_path):
    accumulate = {'optim_wrapper.accumulative_counts': 3}
    changes = {**accumulate, 'default_hooks.checkpoint.interval': 9}
    runner = train(tmp_path, leave=10, **changes)
    (hook,) = (h for h in runner.hooks if hasattr(h, 'save_mid_epoch'))
    assert not hook.save_mid_epoch(runner)
    runner = train(tmp_path, resume=True, leave=12, **changes)
    (hook,) = (h for h in runner.hooks if hasattr(h, 'save_mid_epoch'))
    assert hook.save_mid_epoch(runner)
    written = (tmp_path / 'iter_12.pth').stat().st_mtime_ns
    assert hook.save_mid_epoch(runner)
    assert (tmp_path / 'iter_12.pth').stat().st_mtime_ns == written
    train(tmp_path, resume=True, **changes)
    train(tmp_path / 'whole', **changes)
    final = [
        last_state(folder)['state_dict'] for folder in (tmp_path, tmp_path / 'whole')
    ]
    assert_equal(*final)


WRONG = {
    'another loop': ({'train_cfg.type': 'EpochBasedTrainLoop'}, "type='MidEpochTr"),
    'within a step': (
        {'optim_wrapper.accumulative_counts': 3},
        'in the middle of 3 iterations that accumulate gradients',
    ),
    'other batches': (
        {'train_dataloader.batch_size': 8},
        'batch 4 of 10 in epoch 1.*5',
    ),
    'other lists': (
        {'train_dataloader.sampler.num_rounds': 8},
        'this run has 4 batches an epoch',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', WRONG)
def test_what_cannot_be_resumed_is_refused(tmp_path, name):
    changes, message = WRONG[name]
    train(tmp_path, leave=5)
    with pytest.raises(ValueError, match=message):
        train(tmp_path, resume=True, **changes)


def test_interval_has_to_fit_the_accumulated_gradients(tmp_path):
    with pytest.raises(ValueError, match='interval=4.*a multiple of 3'):
        train(tmp_path, **{'optim_wrapper.accumulative_counts': 3})


@pytest.mark.slow
def test_sampler_needs_the_seed_of_the_run(tmp_path):
    train(tmp_path, leave=5, **{'randomness.seed': None})
    with pytest.raises(ValueError, match='set randomness.seed='):
        train(tmp_path, resume=True, **{'randomness.seed': None})


@pytest.mark.slow
def test_other_loops_warn_of_a_repeated_epoch(tmp_path):
    train(tmp_path, leave=5)
    hook = {'default_hooks.checkpoint': dict(type='CheckpointHook', interval=1)}
    changes = {'train_cfg.type': 'EpochBasedTrainLoop', 'log_level': 'WARNING', **hook}
    runner = train(tmp_path, resume=True, **changes)
    assert runner.iter == 4 + 3 * LENGTH
    logs = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert 'epoch 1 begins after iteration 0: the whole epoch is trained' in logs


class Order:
    """A batch sampler as mmengine and torch build them."""

    sampler = None

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


INDICES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(INDICES, st.integers(0, 6), st.integers(0, 99), st.integers(0, 9))
def test_later_batches_do_not_depend_on_where_one_begins(order, first, seed, epoch):
    batches = PlacedBatches(Order(order), rank=0)
    batches.begin(seed, epoch, 0)
    everything = list(batches)
    assert [[index for _, index in batch] for batch in everything] == order
    seeds = [seed for batch in everything for seed, _ in batch]
    assert len(set(seeds)) == len(seeds)
    batches.begin(seed, epoch, first)
    assert list(batches) == everything[first:]
    other = PlacedBatches(Order(order), rank=1)
    other.begin(seed, epoch, 0)
    assert not set(seeds) & {seed for batch in other for seed, _ in batch}
    batches.begin(seed, epoch + 1, 0)
    assert not set(seeds) & {seed for batch in batches for seed, _ in batch}


def test_samples_depend_on_their_seed_alone():
    data = PlacedDataset(NoisyNumbers(0, 4))
    first, other = data[5, 2]['inputs'], data[6, 2]['inputs']
    assert torch.equal(data[5, 2]['inputs'], first)
    assert all(a != b for a, b in zip(first[1:], other[1:]))
