import pathlib
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmaction.structures import ActionDataSample
from mmengine.logging import MessageHub
from mmengine.model import BaseModel

from ssvad.engine import TrainingStatsHook, training_stats_hook
from ssvad.engine.training_stats_hook import count_clips, peak_memory, split_loss
from tests.helpers import make_sample
from tests.models.methods import METHODS, batch, build

SUPERVISED = {'loss_cls', 'loss_mask_bce', 'loss_mask_dice'}
NUMBERS = st.floats(-100, 100)


@given(
    st.dictionaries(st.sampled_from(sorted(SUPERVISED)), NUMBERS),
    st.dictionaries(st.sampled_from(['loss_cons_mask', 'extra_loss']), NUMBERS),
    st.dictionaries(st.sampled_from(['pseudo_labels', 'acc']), NUMBERS),
)
def test_both_sums_are_the_loss_that_is_trained(supervised, others, logged):
    terms = {**logged, **supervised, **others}
    terms = {name: torch.tensor(value) for name, value in terms.items()}
    _, outputs = BaseModel.parse_losses(None, terms)
    known, rest = split_loss(outputs, SUPERVISED)
    assert known == pytest.approx(sum(supervised.values()), abs=1e-3)
    assert rest == pytest.approx(sum(others.values()), abs=1e-3)
    assert known + rest == pytest.approx(float(outputs['loss']), abs=1e-3)


@pytest.mark.parametrize('name', METHODS)
def test_methods_tell_which_of_their_terms_see_the_truth(name):
    model = build(name)
    losses = model(*batch(name, [0, None]), mode='loss')
    known = model.supervised_terms & set(losses)
    assert known == SUPERVISED | set(METHODS[name].own_terms)
    rest = {key for key in losses if 'loss' in key} - known
    assert rest == set(METHODS[name].terms)
    shared = {term for term in rest if term.startswith('loss_cons_')}
    assert set(model.labeled_shares) == (set() if name == 'cepm' else shared)


@given(st.lists(st.booleans(), max_size=9))
def test_clips_are_counted_by_their_label(labeled):
    samples = [make_sample(0 if known else None) for known in labeled]
    assert count_clips(samples) == (sum(labeled), len(labeled) - sum(labeled))


def test_peak_memory_is_in_megabytes():
    status = pathlib.Path('/proc/self/status')
    if not status.is_file():
        pytest.skip('no /proc')
    (line,) = (x for x in status.read_text().splitlines() if x.startswith('VmRSS'))
    resident = int(line.split()[1]) / 1024
    # the peak may be that of the process that started this one
    assert 0.9 * resident <= peak_memory() < 200 * resident


def run(batches, seconds, window=2, model=None, outputs=None):
    """A runner after some iterations, of so many labelled and unlabelled clips."""
    hub = MessageHub('stats')
    runner = SimpleNamespace(
        model=model or SimpleNamespace(),
        message_hub=hub,
        log_processor=SimpleNamespace(window_size=window),
    )
    hook = TrainingStatsHook()
    for i, (counts, time) in enumerate(zip(batches, seconds)):
        hub.update_scalar('train/time', time)
        samples = [ActionDataSample() for _ in range(sum(counts))]
        for sample in samples[: counts[0]]:
            sample.set_gt_label(0)
        hook.after_train_iter(runner, i, dict(data_samples=samples), outputs or {})
    return {key: buffer.current() for key, buffer in hub.log_scalars.items()}


def test_rate_is_clips_by_time_over_the_window_of_the_log():
    found = run([(9, 9), (4, 2), (2, 2)], [50.0, 1.0, 3.0])
    assert found['train/labeled_clips'] == 2
    assert found['train/labeled_per_s'] == pytest.approx(6 / 4)
    assert found['train/unlabeled_per_s'] == pytest.approx(4 / 4)
    assert not any('loss' in key for key in found)  # a plain detector has all in one


def test_counts_are_written_as_counts():
    found = run([(4, 4)], [1.0])
    for key in ('train/labeled_clips', 'train/memory'):
        assert not isinstance(found[key], float)


def test_clips_of_all_processes_count(monkeypatch):
    monkeypatch.setattr(training_stats_hook, 'get_world_size', lambda: 3)
    found = run([(4, 2)], [2.0])
    assert found['train/labeled_clips'] == 12
    assert found['train/unlabeled_per_s'] == pytest.approx(3)


def test_memory_is_left_to_mmengine_where_there_is_a_gpu(monkeypatch):
    assert 'train/memory' in run([(1, 1)], [1.0])
    monkeypatch.setattr(training_stats_hook, 'is_cuda_available', lambda: True)
    assert 'train/memory' not in run([(1, 1)], [1.0])


def test_losses_of_a_method_are_apart():
    model = SimpleNamespace(supervised_terms={'loss_cls'})
    outputs = dict(loss=5.0, loss_cls=3.0, loss_cons_mask=2.0, taken=7.0)
    found = run([(1, 1)], [1.0], model=model, outputs=outputs)
    assert (found['train/sup_loss'], found['train/unsup_loss']) == (3, 2)


@pytest.mark.filterwarnings('error')  # of a gradient that is dropped
def test_terms_are_apart_by_clips():
    model = SimpleNamespace(labeled_shares={'loss_cons_mask': torch.tensor(0.5)})
    outputs = dict(
        loss=5.0, loss_cls=3.0, loss_cons_mask=torch.tensor(2.0, requires_grad=True)
    )
    found = run([(1, 1)], [1.0], model=model, outputs=outputs)
    assert found['train/labeled_loss_cons_mask'] == 0.5
    assert found['train/unlabeled_loss_cons_mask'] == 1.5
    assert len([key for key in found if 'loss' in key]) == 2
