"""The tools as users start them: in processes of their own, one or two."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.helpers import ROOT

pytestmark = pytest.mark.slow


def read_metric(work_dir):
    (log,) = Path(work_dir).glob('*/*.json')
    return json.loads(log.read_text())['toy/mean']


def test_two_processes_do_what_one_does_with_twice_the_batch(
    run, tool, config, tmp_path
):
    twice = ['--cfg-options', 'train_dataloader.batch_size=4']
    tool('train.py', config, '--work-dir', 'one', *twice)
    run(ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', 'two')

    one = torch.load(tmp_path / 'one/weights_0.pt')
    first, second = (torch.load(tmp_path / f'two/weights_{i}.pt') for i in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, one)

    checkpoint = tmp_path / 'two/epoch_2.pth'
    tool('test.py', config, checkpoint, '--work-dir', 't1')
    run(ROOT / 'tools/dist_test.sh', config, checkpoint, 2, '--work-dir', 't2')
    metrics = [read_metric(tmp_path / name) for name in ('t1', 't2')]
    assert metrics[1] == pytest.approx(metrics[0])

    # and a run of two processes resumes
    more = ['--resume', '--cfg-options', 'train_cfg.max_epochs=3']
    run(ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', 'two', *more)
    assert (tmp_path / 'two/epoch_3.pth').is_file()


def test_the_script_passes_on_what_it_is_given(run, config, tmp_path):
    spy = tmp_path / 'spy.py'
    spy.write_text(
        '#!/usr/bin/env python3\n'
        'import json, os, sys\n'
        "print(json.dumps([os.environ['OMP_NUM_THREADS'], *sys.argv[1:]]))\n"
    )
    spy.chmod(0o755)
    places = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='1.2.3.4', PORT='123')
    more = ['--amp', '--cfg-options', 'x="a b"']
    printed = run(
        *(ROOT / 'tools/dist_train.sh', 'a.py', 4, *more),
        **dict(places, PYTHON=str(spy), OMP_NUM_THREADS='3'),
    )
    assert json.loads(printed) == [
        *('3', '-m', 'torch.distributed.run', '--nnodes=2', '--node_rank=1'),
        *('--master_addr=1.2.3.4', '--master_port=123', '--nproc_per_node=4'),
        *(str(ROOT / 'tools/train.py'), 'a.py', '--launcher', 'pytorch', *more),
    ]


@pytest.mark.parametrize('script, args', [('dist_train.sh', 1), ('dist_test.sh', 2)])
def test_scripts_explain_themselves(script, args):
    command = [ROOT / 'tools' / script, *(['x'] * args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: tools/{script} CONFIG')


def test_configs_of_ours_train_and_resume_with_the_tool_of_mmaction(
    run, config, tmp_path
):
    import mmaction

    tool = Path(mmaction.__file__).parent / '.mim/tools/train.py'
    if not tool.is_file():
        pytest.skip(f'this mmaction2 brings no {tool}')
    one = ['--cfg-options', 'train_cfg.max_epochs=1']
    run(sys.executable, tool, config, '--work-dir', 'w', *one)
    run(sys.executable, tool, config, '--work-dir', 'w', '--resume')
    assert (tmp_path / 'w/epoch_2.pth').is_file()


def test_a_first_run_prints_no_advice(run, config):
    printed = run(sys.executable, ROOT / 'tools/train.py', config)
    assert 'Warning' not in printed
