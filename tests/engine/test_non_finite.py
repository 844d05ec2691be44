"""Steps that are not finite are never made, named, and can be computed again."""

import copy
import math
import pickle

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from ssvad.engine import NonFiniteHook
from ssvad.engine.non_finite_hook import MAX_OVERFLOWS
from ssvad.engine.step_record import from_plain, load_record, recompute, to_plain
from tests.helpers import make_sample
from tests.noisy_run import noisy_config
from tests.toy_run import forget_runs

LOSS, GRADIENT = 1e20, -1e6  # poisons, see NoisyNumbers


class StateHook(Hook):
    """Keeps what an iteration begins and ends with."""

    priority = 'LOWEST'

    def __init__(self):
        self.states = []

    def keep(self, runner):
        optimizer = runner.optim_wrapper.state_dict()
        state = dict(model=runner.model.state_dict(), optimizer=optimizer['state'])
        self.states.append(copy.deepcopy(state))

    def before_train(self, runner):
        self.keep(runner)

    def after_train_iter(self, runner, *args, **kwargs):
        self.keep(runner)


def same(first, second):
    if isinstance(first, dict):
        keys = first.keys()
        return keys == second.keys() and all(same(first[k], second[k]) for k in keys)
    return torch.equal(first, second)


def build(folder, poison, poisoned=1, hook=None, **changes):
    """A runner of a list of two clips and one of twenty, 10 batches of 2 + 2.

    Args:
        poisoned: Lists, 0 to 2, whose first clip is poison.
        hook: Arguments of NonFiniteHook.
    """
    forget_runs()
    cfg = noisy_config(folder, **changes)
    for data in cfg.train_dataloader.dataset.datasets[:poisoned]:
        data.poison = poison
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = -1
    cfg.custom_hooks.append(dict(type='NonFiniteHook', **(hook or {})))
    runner = Runner.from_cfg(cfg)
    runner.register_hook(StateHook())
    return runner


def states_of(runner):
    return runner.hooks[-1].states


MESSAGES = {
    LOSS: r'^iteration \d+ \(epoch 1\): loss_sup = inf in .*clip0 frames 3-8',
    GRADIENT: r'gradient not finite in 1 parameters, first detector.4.bias in .*clip0',
}


@pytest.mark.parametrize('accumulate', [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize('poison', MESSAGES)
def test_run_stops_before_the_step_and_the_record_repeats_it(
    tmp_path, poison, accumulate
):
    changes = {'optim_wrapper.accumulative_counts': accumulate}
    runner = build(tmp_path, poison, **changes)
    with pytest.raises(FloatingPointError, match=MESSAGES[poison]) as error:
        runner.train()
    path = tmp_path / 'non_finite_rank0.pth'
    assert str(path) in str(error.value)
    record = load_record(path)
    # the weights have not moved since the window of accumulated gradients began
    began = states_of(runner)[runner.iter // accumulate * accumulate]['model']
    assert same(record['weights'], began)
    assert len(record['passes']) == accumulate

    torch.manual_seed(99)
    model = MODELS.build(dict(type='NoisyModel'))
    losses, parameters = recompute(model, record)
    assert losses == [part['losses'] for part in record['passes']]
    values = [value for part in losses for value in part.values()]
    assert all(map(math.isfinite, values)) == (poison == GRADIENT)
    if poison == GRADIENT:
        assert parameters == record['parameters'] == ['detector.4.bias']


@pytest.mark.parametrize('accumulate', [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize('poison', MESSAGES)
def test_skipped_steps_leave_everything_as_it_was(tmp_path, poison, accumulate):
    changes = {'optim_wrapper.accumulative_counts': accumulate, 'log_level': 'WARNING'}
    runner = build(tmp_path, poison, hook=dict(policy='skip'), **changes)
    runner.train()
    info = runner.message_hub.runtime_info
    assert runner.iter == 10
    states = states_of(runner)[::accumulate]
    skipped = [same(*pair) for pair in zip(states, states[1:])]
    # six clips in ten batches of two: clip 0 comes three or four times
    assert sum(skipped) == info['skipped_in_total'] >= 10 / 6
    assert not all(skipped)
    assert runner.param_schedulers[0]._global_step == 10  # as without a skipped one
    assert runner.model.teacher.updates == 1 + len(skipped) - sum(skipped)
    for value in states[-1]['model'].values():
        assert value.isfinite().all()
    for name in ('loss', 'loss_sup', 'loss_cons', 'grad_norm'):
        history = runner.message_hub.get_scalar(f'train/{name}').data[0]
        assert len(history) and all(map(math.isfinite, history)), name
    log = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert log.count('skipped step number') == sum(skipped)


LIMITS = {
    'in a row': (2, dict(in_a_row=2), r'Steps skipped: 3 in a row \(at most 2\)'),
    'in total': (1, dict(in_total=1), r'2 in total \(at most 1\)'),
}


@pytest.mark.parametrize('name', LIMITS)
def test_skipping_has_limits(tmp_path, name):
    lists, limit, message = LIMITS[name]
    sizes = {'train_dataloader.dataset.datasets.0.size': 1} if lists == 2 else {}
    runner = build(tmp_path, LOSS, hook=dict(policy='skip', **limit), **sizes)
    with pytest.raises(FloatingPointError, match=message):
        runner.train()


def test_healthy_run_is_not_changed(tmp_path):
    plain = build(tmp_path, None)
    plain._hooks = [h for h in plain.hooks if not isinstance(h, NonFiniteHook)]
    plain.train()
    checked = build(tmp_path, None)
    checked.train()
    assert same(states_of(plain)[-1], states_of(checked)[-1])
    assert 'finite' not in checked.optim_wrapper.step.__qualname__


def test_full_disk_does_not_hide_the_reason(tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError('PytorchStreamWriter failed')

    monkeypatch.setattr('ssvad.engine.non_finite_hook.save_record', fail)
    runner = build(tmp_path, LOSS)
    with pytest.raises(FloatingPointError, match='loss_sup = inf.*could not be writt'):
        runner.train()


def test_policy_is_checked():
    with pytest.raises(ValueError, match="must be 'stop' or 'skip', got 'warn'"):
        NonFiniteHook('warn')


@pytest.fixture
def scaled(monkeypatch):
    """Let mmengine's mixed precision with a scaler run on a CPU."""
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('no scaler for a CPU')
    module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
    monkeypatch.setattr(f'{module}.is_cuda_available', lambda: True)
    scaler = lambda **kwargs: torch.amp.GradScaler('cpu', **kwargs)  # noqa: E731
    monkeypatch.setattr(f'{module}.GradScaler', scaler)
    return {
        'optim_wrapper.type': 'AmpOptimWrapper',
        'optim_wrapper.dtype': 'bfloat16',
    }


def test_overflow_of_scaled_gradients_is_left_to_the_scaler(tmp_path, scaled):
    scale = {'optim_wrapper.loss_scale': dict(init_scale=2.0**127)}
    runner = build(tmp_path, None, **scaled, **scale)
    runner.train()
    assert isinstance(runner.optim_wrapper, AmpOptimWrapper)
    assert runner.optim_wrapper.loss_scaler.get_scale() < 2.0**127
    states = states_of(runner)
    assert same(states[0]['optimizer'], states[1]['optimizer'])  # skipped by the scaler
    assert not same(states[0]['model'], states[-1]['model'])


def test_infinite_loss_stops_mixed_precision_and_keeps_the_scale(tmp_path, scaled):
    scale = {'optim_wrapper.loss_scale': dict(init_scale=4.0)}
    runner = build(tmp_path, LOSS, **scaled, **scale)
    with pytest.raises(FloatingPointError, match='loss_sup = inf'):
        runner.train()
    assert runner.optim_wrapper.loss_scaler.get_scale() == 4.0
    record = load_record(tmp_path / 'non_finite_rank0.pth')
    assert record['autocast'] == 'bfloat16'
    losses, _ = recompute(MODELS.build(dict(type='NoisyModel')), record)
    assert losses == [part['losses'] for part in record['passes']]


def test_endless_overflow_stops(tmp_path, scaled, monkeypatch):
    monkeypatch.setattr('ssvad.engine.non_finite_hook.MAX_OVERFLOWS', 4)
    assert MAX_OVERFLOWS == 32
    one = {'train_dataloader.dataset.datasets.0.size': 1}
    runner = build(tmp_path, GRADIENT, **scaled, **one)
    with pytest.raises(FloatingPointError, match='infinite in 5 steps in a row'):
        runner.train()


def test_record_is_safe_and_named_when_it_is_none(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(format='other'), path)
    with pytest.raises(ValueError, match='other.pth: not the record of a training'):
        load_record(path)

    class Evil:
        def __reduce__(self):
            return (path.write_text, ('executed',))

    evil = tmp_path / 'evil.pth'
    evil.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match='evil.pth: not the record'):
        load_record(evil)
    assert path.read_bytes()[:8] != b'executed'


def test_samples_survive_being_written(tmp_path):
    samples = [make_sample(1, seed=3), make_sample(None)]
    samples[0].set_metainfo(dict(frame_inds=torch.arange(3).numpy(), size=(3, 4)))
    torch.save(to_plain(samples), tmp_path / 'samples.pth')
    read = from_plain(torch.load(tmp_path / 'samples.pth', weights_only=True))
    for before, after in zip(samples, read):
        assert before.keys() == after.keys()
        for key in before.keys():
            assert torch.equal(before.get(key), after.get(key))
        assert before.views == after.views
        assert type(after.views['flip']) is type(before.views['flip'])
    assert read[0].frame_inds.tolist() == [0, 1, 2]
    assert read[0].size == (3, 4)
