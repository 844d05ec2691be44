"""The scripts for Slurm, with an ``srun`` that starts its tasks on this machine."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.device import get_device

from ssvad.compat import prepare_distributed
from tests.helpers import ROOT

PRINT = 'import json, os, sys\nprint(json.dumps([os.environ["MASTER_PORT"], sys.argv]))'
# what srun does: as many tasks as asked for, each told who it is
START = """
import os, subprocess, sys
tasks = int(next(a for a in sys.argv if a.startswith('--ntasks=')).split('=')[1])
first = next(i for i, a in enumerate(sys.argv[1:], 1) if not a.startswith('-'))
place = dict(SLURM_NTASKS=str(tasks), SLURM_NODELIST='node[7-8]', SLURM_JOB_ID='1')
running = [
    subprocess.Popen(
        sys.argv[first:],
        env=dict(os.environ, **place, SLURM_PROCID=str(i), SLURM_LOCALID=str(i)),
    )
    for i in range(tasks)
]
sys.exit(max(abs(task.wait()) for task in running))
"""
HOSTS = """
import sys
assert sys.argv[1:] == ['show', 'hostnames', 'node[7-8]'], sys.argv
print('127.0.0.1\\nnode8')
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Put commands of a cluster on the path."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    monkeypatch.setenv('PATH', str(folder), prepend=':')
    monkeypatch.delenv('MASTER_ADDR', raising=False)

    def install(**commands):
        for name, source in commands.items():
            file = folder / name
            file.write_text(f'#!{sys.executable}\n{source}')
            file.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ('script', 'tool', 'own'),
    [
        ('slurm_train.sh', 'train.py', ['a.py']),
        ('slurm_test.sh', 'test.py', ['a', 'b']),
    ],
)
def test_what_the_scripts_ask_slurm_for(run, cluster, script, tool, own):
    cluster(srun=PRINT)
    more = ['--amp', '--cfg-options', 'x="a b"']
    asked = dict(GPUS='16', CPUS_PER_TASK='3', SRUN_ARGS='--time=1:00 --gres=none')
    places = dict(PYTHON='py', PORT='1234', **asked)
    printed = run(ROOT / 'tools' / script, 'gpus', 'my job', *own, *more, **places)
    port, arguments = json.loads(printed)
    assert port == '1234'
    assert arguments[1:] == [
        *('--partition=gpus', '--job-name=my job', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=3', '--kill-on-bad-exit=1'),
        *('--time=1:00', '--gres=none', 'py', '-u', str(ROOT / 'tools' / tool)),
        *(*own, '--launcher', 'slurm', *more),
    ]


def test_a_part_of_a_node_is_enough(run, cluster):
    cluster(srun=PRINT)
    _, arguments = json.loads(
        run(ROOT / 'tools/slurm_train.sh', 'p', 'j', 'c', GPUS='2')
    )
    assert {'--gres=gpu:2', '--ntasks=2', '--ntasks-per-node=2'} < set(arguments)


@pytest.mark.parametrize(
    ('script', 'given'), [('slurm_train.sh', 2), ('slurm_test.sh', 3)]
)
def test_scripts_explain_themselves(script, given):
    command = [ROOT / 'tools' / script, *(['x'] * given)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f'usage: tools/{script} PARTITION JOB_NAME CONFIG')


def test_the_commands_of_the_page(run, cluster):
    cluster(srun=PRINT)
    page = (ROOT / 'docs/planning.md').read_text('utf-8')
    commands = re.findall(r'^GPUS=8 .*slurm_.*$', page, re.M)
    assert len(commands) == 2
    for command in commands:
        command = command.replace('tools/slurm', f'{ROOT}/tools/slurm')
        _, arguments = json.loads(run('bash', '-c', command))
        assert '--ntasks=8' in arguments
        own = arguments[arguments.index('-u') + 1 :]
        assert (ROOT / own[1]).is_file() and '--launcher' in own


@pytest.mark.skipif(get_device() != 'cpu', reason='the launcher of mmengine is used')
@pytest.mark.parametrize('address', [None, '10.0.0.1'])
def test_a_task_finds_its_place_among_the_others(cluster, monkeypatch, address):
    cluster(scontrol=HOSTS)
    places = dict(PROCID='5', LOCALID='1', NTASKS='8', NODELIST='node[7-8]')
    for name, value in places.items():
        monkeypatch.setenv(f'SLURM_{name}', value)
    # from the command line of the tools, which know nothing better
    monkeypatch.setenv('LOCAL_RANK', '0')
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    if address is not None:
        monkeypatch.setenv('MASTER_ADDR', address)
    seen = []
    monkeypatch.setattr(
        torch.distributed,
        'init_process_group',
        lambda backend, timeout: seen.append((backend, dict(os.environ))),
    )
    prepare_distributed(ConfigDict(launcher='slurm'))
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_PORT', 'MASTER_ADDR'):
        os.environ.pop(name, None)
    ((backend, env),) = seen
    assert backend == 'gloo'
    assert (env['RANK'], env['LOCAL_RANK'], env['WORLD_SIZE']) == ('5', '1', '8')
    assert env['MASTER_ADDR'] == (address or '127.0.0.1')
    assert env['MASTER_PORT'] == '29500'


@pytest.mark.slow
def test_tasks_of_slurm_do_what_one_process_does(run, tool, cluster, config, tmp_path):
    cluster(srun=START, scontrol=HOSTS)
    train = ROOT / 'tools/slurm_train.sh'
    run(train, 'p', 'j', config, '--work-dir', 'slurm', GPUS='2')
    whole = ['--cfg-options', 'train_dataloader.batch_size=4']
    tool('train.py', config, '--work-dir', 'one', *whole)
    first, second, one = (
        torch.load(tmp_path / f'{name}.pt')
        for name in ('slurm/weights_0', 'slurm/weights_1', 'one/weights_0')
    )
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, one)
