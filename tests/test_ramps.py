import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import MessageHub

from ssvad.ramps import (
    Progress,
    csd_ramp,
    epoch_ramp,
    sigmoid_ramp,
    train_progress,
)
from tests import golden_network as golden
from tests import golden_smt


def test_ramp_meets_the_reference():
    for total, epoch, value in golden.load('losses')['ramp']:
        if 1 <= epoch <= total:
            ours = sigmoid_ramp(Progress(int(epoch) - 1, int(total)))
            assert ours == pytest.approx(value, abs=1e-12)


@given(total=st.integers(1, 200), epoch=st.integers(0, 250))
def test_ramp_grows_to_one_and_stays(total, epoch):
    now = sigmoid_ramp(Progress(epoch, total))
    later = sigmoid_ramp(Progress(epoch + 1, total))
    assert math.exp(-5) < now <= later <= 1
    assert sigmoid_ramp(Progress(total - 1, total)) == 1


def test_counting_from_zero_is_one_epoch_late():
    assert sigmoid_ramp(Progress(0, 10), first_epoch=0) == math.exp(-5)
    for epoch in range(9):
        late = sigmoid_ramp(Progress(epoch + 1, 10), first_epoch=0)
        assert late == sigmoid_ramp(Progress(epoch, 10))
    assert sigmoid_ramp(Progress(9, 10), first_epoch=0) < 1


def test_progress_is_read_from_the_message_hub():
    hub = MessageHub.get_current_instance()
    hub.update_info('epoch', 3)
    hub.update_info('max_epochs', np.int64(7))
    assert train_progress() == Progress(3, 7)


def test_progress_outside_a_runner_is_the_first_epoch():
    assert train_progress() == Progress(0, 1)


def test_progress_counts_iterations():
    hub = MessageHub.get_current_instance()
    hub.update_info('iter', 30)
    hub.update_info('max_iters', 120)
    assert train_progress().done == 0.25


@pytest.mark.parametrize(
    ('name', 'config'),
    [
        ('sigmoid', dict(kind='sigmoid', length=16)),
        ('sigmoid_len0', dict(kind='sigmoid', length=0)),
        ('linear', dict(kind='linear', length=16)),
        ('pseudo_4_12', dict(kind='delayed', start=4, stop=12)),
        ('exp_rampdown_6_24', dict(kind='sigmoid_down', length=6, total=24)),
        ('cosine_rampdown_6_24', dict(kind='cosine_down', length=6, total=24)),
    ],
)
def test_ramps_of_mean_teachers_meet_the_reference(name, config):
    values = golden_smt.load('ramps')
    ramp = epoch_ramp(config)
    ours = [ramp(Progress(int(epoch) - 1, 100)) for epoch in values['epochs']]
    np.testing.assert_allclose(ours, values[name], rtol=0, atol=1e-12)


def test_no_ramp_is_one():
    assert epoch_ramp(None)(Progress(0, 10)) == 1


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(kind='cubic'), 'sigmoid'),
        (dict(length=3), 'kind'),
        (dict(kind='linear', epochs=3), 'epochs'),
    ],
)
def test_ramps_that_do_not_exist_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        epoch_ramp(config)


def test_csd_ramp_has_the_marks_of_the_released_code():
    assert csd_ramp(0) == 0
    for iteration, expected in [
        (16_000, math.exp(-5 * 0.25)),
        (32_000, 1),
        (100_000, 1),
        (110_000, math.exp(-12.5 * 0.25)),
        (120_000, math.exp(-12.5)),
    ]:
        assert csd_ramp(iteration / 120_000) == pytest.approx(expected, rel=1e-9)
