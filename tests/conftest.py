import hypothesis
import pytest
import torch
from mmengine.logging import MessageHub

import ssvad  # noqa: F401  (before any test module: mends and registers)

# the same examples on every machine, however slow it is
hypothesis.settings.register_profile('ssvad', deadline=None, derandomize=True)
hypothesis.settings.load_profile('ssvad')
# tests share the machine with each other
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def outside_of_training():
    """What earlier tests trained must not say which epoch it is."""
    MessageHub.get_current_instance().runtime_info.clear()
