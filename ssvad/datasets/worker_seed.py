"""Seeds of the data loading workers."""

from __future__ import annotations

import os
import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.registry import FUNCTIONS


# mmengine's build_dataloader looks worker_init_fn up in its own registry only
@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Seed Python, NumPy and torch of a worker anew in every epoch.

    ``train_dataloader = dict(worker_init_fn=dict(type='seed_worker'), ...)``

    mmengine's default gives a worker the same seed whenever it starts, so that with
    ``persistent_workers=False`` every epoch repeats the augmentations of the first.
    PyTorch has drawn a base seed in the main process when the epoch began and has
    given ``base seed + worker id`` to the worker; all generators are derived from
    that and the rank (all ranks may share the base seed). If the main process is
    seeded by epoch, a resumed run draws what an uninterrupted one does; persistent
    workers are started once and carry their state on instead.

    Args:
        worker_id: Number of the worker; already part of torch's seed.
    """
    # spawned workers do not know the process group, launchers set the variable
    rank = get_rank() or int(os.environ.get('RANK', '0'))
    sequence = np.random.SeedSequence([torch.initial_seed(), rank])
    python_seed, numpy_seed, torch_seed = sequence.generate_state(3).tolist()
    random.seed(python_seed)
    np.random.seed(numpy_seed)
    torch.manual_seed(torch_seed)
