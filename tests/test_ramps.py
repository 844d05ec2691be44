import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import MessageHub

from ssvad.ramps import Progress, sigmoid_ramp, train_progress
from tests import golden_network as golden


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
    MessageHub.get_current_instance().runtime_info.clear()
    assert train_progress() == Progress(0, 1)
