"""`tools/train.py` and `tools/test.py`, run on a toy model in this process."""

import json
import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.toy_run import write_config


def read_weights(work_dir):
    return torch.load(Path(work_dir) / 'weights_0.pt')


def read_history(file):
    history = torch.load(file)['message_hub']['log_scalars']['train/loss']
    return history.data[0].tolist()


def read_metrics(work_dir):
    (log,) = Path(work_dir).glob('*/*.json')
    return json.loads(log.read_text())


def read_dumped_config(work_dir):
    from mmengine.config import Config

    return Config.fromfile(str(Path(work_dir) / 'toy_numbers.py'))


def test_train_writes_to_the_folder_named_after_the_config(tool, config):
    tool('train.py', config)
    work_dir = Path('work_dirs/toy_numbers')
    last = Path((work_dir / 'last_checkpoint').read_text())
    assert last.name == 'epoch_2.pth' and last.is_file()
    assert read_dumped_config(work_dir).randomness.seed == 0


@pytest.mark.parametrize('resume', [['--resume'], ['--resume', 'a/epoch_1.pth']])
def test_a_resumed_run_ends_like_an_uninterrupted_one(tool, config, resume):
    tool('train.py', config, '--work-dir', 'a')
    # as if it had been killed in the second epoch
    Path('b').mkdir()
    first = shutil.copy('a/epoch_1.pth', 'b')
    Path('b/last_checkpoint').write_text(first)
    tool('train.py', config, '--work-dir', 'b', *resume)
    (log,) = Path('b').glob('*/*.log')
    assert 'resumed epoch: 1, iter: 4' in log.read_text()
    torch.testing.assert_close(read_weights('b'), read_weights('a'), rtol=0, atol=0)
    losses = [read_history(f'{run}/epoch_2.pth') for run in 'ab']
    assert losses[0] == losses[1] and len(losses[0]) == 8


def test_resume_of_an_empty_folder_starts_anew(tool, config):
    tool('train.py', config, '--work-dir', 'a')
    tool('train.py', config, '--work-dir', 'b', '--resume')
    torch.testing.assert_close(read_weights('b'), read_weights('a'), rtol=0, atol=0)


def test_arguments_reach_the_config(tool, tmp_path):
    config = write_config(tmp_path, 'auto_scale_lr = dict(base_batch_size=4)\n')
    flags = '--no-validate --auto-scale-lr --seed 7 --diff-rank-seed --deterministic'
    options = [
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'optim_wrapper.optimizer.lr=8',
    ]
    tool('train.py', config, '--work-dir', 'w', *flags.split(), *options)
    cfg = read_dumped_config('w')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.randomness == dict(seed=7, diff_rank_seed=True, deterministic=True)
    assert cfg.train_cfg.max_epochs == 1
    # half of the base batch size, half of the learning rate
    checkpoint = torch.load('w/epoch_1.pth')
    assert checkpoint['optimizer']['param_groups'][0]['initial_lr'] == 4
    torch.use_deterministic_algorithms(False)


def test_test_gives_the_number_of_the_last_validation(tool, config):
    tool('train.py', config, '--work-dir', 'w')
    tool('test.py', config, 'w/epoch_2.pth', '--work-dir', 't', '--dump', 't/all.pkl')
    best = torch.load('w/epoch_2.pth')['message_hub']['log_scalars']['val/toy/mean']
    assert read_metrics('t')['toy/mean'] == pytest.approx(best.data[0][-1])
    dumped = pickle.loads(Path('t/all.pkl').read_bytes())
    assert len(dumped) == 8
    mean = sum(sample['value'] for sample in dumped) / 8
    assert mean == pytest.approx(read_metrics('t')['toy/mean'])


@pytest.mark.parametrize(
    'name, args, message',
    [
        ('train.py', ['no.py'], "config 'no.py' not found"),
        ('train.py', ['--resume', 'no.pth'], "checkpoint 'no.pth' not found"),
        ('train.py', ['--auto-scale-lr'], '--auto-scale-lr needs auto_scale_lr'),
        ('test.py', ['no.pth'], "checkpoint 'no.pth' not found"),
        ('test.py', [__file__, '--dump', 'a.json'], "writes a .pkl file, got 'a.json'"),
        ('test.py', [], 'the following arguments are required: checkpoint'),
    ],
)
def test_mistakes_are_one_line(tool, config, capsys, name, args, message):
    if args[:1] != ['no.py']:
        args = [config, *args]
    with pytest.raises(SystemExit) as caught:
        tool(name, *args)
    (line,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert message in line and line.startswith(f'{name}: error: ')


@pytest.mark.skipif(torch.cuda.is_available(), reason='a machine with a GPU')
@pytest.mark.parametrize(
    'args, message',
    [
        (['--amp'], 'mixed precision .* needs an accelerator'),
        (['--cfg-options', 'optim_wrapper.type=AmpOptimWrapper'], 'mixed precision'),
        (['--launcher', 'slurm'], "launcher 'slurm', but .* in no Slurm job"),
        (['--launcher', 'mpi'], "launcher 'mpi' needs an accelerator"),
    ],
)
def test_what_a_cpu_cannot_do_is_one_line(tool, config, capsys, args, message):
    with pytest.raises(SystemExit, match='2'):
        tool('train.py', config, *args)
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)


def test_amp_refuses_other_wrappers(tool, config, capsys):
    with pytest.raises(SystemExit, match='2'):
        tool('train.py', config, '--amp', '--cfg-options', 'optim_wrapper.type=Own')
    assert "--amp works with OptimWrapper, the config has 'Own'" in (
        capsys.readouterr().err
    )
