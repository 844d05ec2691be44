"""Queues of CEPM in two processes: the same in both, and as in one."""

import sys

import pytest
import torch

from ssvad.models.semi.class_feature_enhancement import ClassQueues

pytestmark = pytest.mark.slow
SIZES = dict(num_classes=3, size=4, positions=2, channels=1)
SCRIPT = """
import os
import torch
import torch.distributed as dist
from mmengine.dist import all_reduce_params
import ssvad
from ssvad.models.semi.class_feature_enhancement import ClassQueues

def work(rank):
    file = 'file://' + os.path.abspath('meeting')
    dist.init_process_group('gloo', init_method=file, rank=rank, world_size=2)
    queues = ClassQueues(**{sizes})
    for step in range(5):
        classes = torch.tensor([step % 3, -1, rank])
        maps = torch.arange(3.0)[:, None, None].expand(3, 2, 1)
        queues.put(maps + 10 * step + 100 * rank, classes)
        all_reduce_params(queues.buffers(), op='mean')  # what SyncBuffersHook does
    torch.save(queues.state_dict(), f'queues_{{rank}}.pt')
    dist.barrier()
    os._exit(0)  # without tearing gloo's threads down, as our tools do

if __name__ == '__main__':
    torch.multiprocessing.spawn(work, nprocs=2)
"""


def test_two_processes_hold_what_one_would(run, tmp_path):
    (tmp_path / 'both.py').write_text(SCRIPT.format(sizes=SIZES))
    run(sys.executable, tmp_path / 'both.py', OMP_NUM_THREADS='1')
    alone = ClassQueues(**SIZES)
    for step in range(5):
        for rank in range(2):
            maps = torch.arange(3.0)[:, None, None].expand(3, 2, 1)
            classes = torch.tensor([step % 3, -1, rank])
            alone.put(maps + 10 * step + 100 * rank, classes)
    for rank in range(2):
        found = torch.load(tmp_path / f'queues_{rank}.pt')
        for name, value in alone.state_dict().items():
            assert torch.equal(found[name], value), name
