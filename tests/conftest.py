import hypothesis
import torch

import ssvad  # noqa: F401  (before any test module: mends and registers)

# the same examples on every machine, however slow it is
hypothesis.settings.register_profile('ssvad', deadline=None, derandomize=True)
hypothesis.settings.load_profile('ssvad')
# tests share the machine with each other
torch.set_num_threads(1)
