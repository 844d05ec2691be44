import pytest
import torch
from mmengine.logging import MessageHub

from ssvad.engine import TrainLossPlateauLR


@pytest.fixture
def hub():
    hub = MessageHub.get_current_instance()
    hub.log_scalars.clear()
    hub.update_info('max_epochs', 20)
    hub.update_info('max_iters', 60)
    return hub


def learning_rates(hub, epochs, **kwargs):
    """LR after each epoch of three iterations with the given mean loss."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = TrainLossPlateauLR(optimizer, factor=0.1, patience=2, **kwargs)
    rates = []
    for loss in epochs:
        for offset in (-1, 0, 1):
            hub.update_scalar('train/loss', loss + offset)
        scheduler.step()
        rates.append(optimizer.param_groups[0]['lr'])
    return rates


def test_rate_falls_after_more_than_patience_epochs_without_gain(hub):
    rates = learning_rates(hub, [5, 4, 4, 4, 4, 3])
    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1])


def test_rate_stays_while_the_epoch_mean_falls(hub):
    assert learning_rates(hub, [9, 8, 7, 6, 5, 4]) == [1] * 6


def test_rate_has_a_floor(hub):
    assert learning_rates(hub, [1] * 20, min_value=0.05)[-1] == pytest.approx(0.05)


def test_state_survives_a_restart(hub):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    first = TrainLossPlateauLR(optimizer, patience=2)
    for loss in (3, 3, 3):
        hub.update_scalar('train/loss', loss)
        hub.update_info('max_iters', 20)
        first.step()
    second = TrainLossPlateauLR(optimizer, patience=2)
    second.load_state_dict(first.state_dict())
    assert (second.best, second.num_bad_epochs) == (first.best, first.num_bad_epochs)
    assert first.num_bad_epochs == 2


def test_unknown_scalar_is_an_error(hub):
    hub.update_scalar('train/lr', 1.0)
    with pytest.raises(KeyError, match=r"monitors 'train/loss'.*\['train/lr'\]"):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        TrainLossPlateauLR(optimizer).step()
