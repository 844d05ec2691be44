"""Commands of the benchmark of methods, and what is run again."""

import importlib
import json
import shlex
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.docs_pages import blocks, commands, words
from tests.helpers import ROOT

bench = importlib.import_module('benchmark_methods')
plan = importlib.import_module('methods_plan')
results = importlib.import_module('methods_results')

TRAIN = dict.fromkeys(
    name for name, m in plan.METHODS.items() if (ROOT / 'configs' / m.config).is_file()
)


@pytest.fixture
def dry_run(tmp_path, monkeypatch, capsys):
    """The words that --dry-run prints, a list for each command."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        bench.main([*args, '--dry-run', '--out-dir', 'out'])
        return [shlex.split(line) for line in capsys.readouterr().out.splitlines()]

    return run


def follow(words, monkeypatch):
    """The config that a printed train.py or test.py command ends with."""
    start = words.index('python')
    for assignment in words[:start]:
        monkeypatch.setenv(*assignment.split('=', 1))
    monkeypatch.setenv('LOCAL_RANK', '0')
    cli = importlib.import_module('cli')
    parser = cli.make_parser('')
    init_default_scope('mmaction')
    args, rest = parser.parse_known_args(words[start + 2 :])
    return cli.load_config(parser, args), rest


@pytest.mark.parametrize('method', TRAIN)
def test_all_methods_have_one_budget(method, dry_run, monkeypatch):
    lines = dry_run('--methods', method, '--seeds', '5', '--epochs', '7')
    rounds = plan.METHODS[method].rounds
    script = 'pseudo_label.py' if rounds else 'train.py'
    train = next(line for line in lines if line[3].endswith(script))
    cfg, rest = follow(train, monkeypatch)
    if rounds:
        unlabeled = 'splits/10_seed5/unlabeled.txt'
        assert rest == ['--unlabeled', unlabeled, '--rounds', str(rounds)]
        assert cfg.randomness.seed == 5
        assert cfg.train_cfg.val_interval > cfg.train_cfg.max_epochs
    else:
        assert rest == ['--seed', '5', '--resume', '--no-validate']
    assert Path(cfg.work_dir).parts[:3] == ('out', 'runs', method)
    loader = cfg.train_dataloader
    ratio = loader.sampler.ratio
    labeled = loader.batch_size * ratio[0] // sum(ratio)
    assert labeled == plan.LABELED
    assert loader.sampler.num_rounds * ratio[0] == plan.STEPS * plan.LABELED
    epochs = 7 // (rounds + 1)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.T_max) == (epochs, epochs)
    sources = loader.dataset.datasets
    assert all(s.data_root == 'out/data' for s in sources)
    if method.startswith('sup') or rounds:
        assert len(sources) == 1 and len(ratio) == 1
    else:
        assert sources[1].split_file == 'splits/10_seed5/unlabeled.txt'
    name = 'train' if method == 'sup_all' else '10_seed5/labeled'
    assert sources[0].split_file == f'splits/{name}.txt'


def test_training_and_test_build_one_model(dry_run, monkeypatch):
    lines = dry_run('--methods', 'l2', '--seeds', '5')
    train, test = (
        next(line for line in lines if line[3].endswith(name))
        for name in ('/train.py', '/test.py')
    )
    cfgs = [follow(words, monkeypatch)[0] for words in (train, test)]
    assert cfgs[0].model == cfgs[1].model
    assert cfgs[0].model.method.attention is None
    assert f'{cfgs[0].work_dir}/epoch_{bench.EPOCHS}.pth' in test


def test_lists_are_made_once_a_seed_and_setting(dry_run):
    args = ['--methods', 'sup', 'var', 'sup_all', '--seeds', '1', '2']
    args += ['--fractions', '0.05', '0.1', '--unlabeled-times', '1', '2']
    tools = {}
    for line in dry_run(*args):
        assert line[:3] == ['OMP_NUM_THREADS=1', 'SSVAD_TOY=out/data', 'python']
        tools.setdefault(Path(line[3]).name, []).append(line[4:])
    assert len(tools['make_toy_dataset.py']) == 1
    assert len(tools['method_cost.py']) == 3
    # var with two lists of unlabelled videos, sup without a limit, in each setting
    splits = [words[words.index('--out-dir') + 1] for words in tools['make_split.py']]
    assert len(set(splits)) == len(splits) == 2 * 2 * 3
    limited = [s for s in tools['make_split.py'] if '--unlabeled-times' in s]
    assert len(limited) == 2 * 2 * 2
    runs = [words[words.index('--work-dir') + 1] for words in tools['train.py']]
    assert len(set(runs)) == len(runs) == 2 * (2 + 2 * 2 + 1)
    seeds = [words[words.index('--seed') + 1] for words in tools['train.py']]
    assert seeds == sorted(seeds)


def test_a_method_without_config_is_named(monkeypatch, capsys):
    monkeypatch.setitem(plan.METHODS, 'new', plan.Method('new', 'toy_new.py'))
    with pytest.raises(SystemExit):
        bench.main(['--methods', 'sup', 'new'])
    assert 'toy_new.py' in capsys.readouterr().err


class Machine:
    """In the place of subprocess.run: notes commands and leaves what they leave."""

    def __init__(self):
        self.started, self.broken = [], set()

    def __call__(self, words, env, stdout, stderr):
        name, words = Path(words[1]).name, words[2:]
        work = (
            Path(words[words.index('--work-dir') + 1]) if '--work-dir' in words else 0
        )
        self.started.append((name, work and work.name.replace('test', '')))
        if (name, work and work.parent.name) in self.broken:
            return subprocess.CompletedProcess(words, 1)
        if name == 'train.py':
            assert '--resume' in words
            epochs = [w for w in words if w.startswith('train_cfg.max_epochs=')]
            file = work / f'epoch_{epochs[0].split("=")[1]}.pth'
            (work / 'last_checkpoint').write_text(str(file))
        elif name == 'test.py':
            (work / '20260101').mkdir(parents=True, exist_ok=True)
            value = {f'stad/{key}': 50.0 for key in results.METRICS.values()}
            (work / '20260101/20260101.json').write_text(json.dumps(value))
        elif name == 'method_cost.py':
            out = Path(words[words.index('--out') + 1])
            out.parent.mkdir(exist_ok=True)
            out.write_text('{"seconds": 0.25, "learning": 8, "only_seen": 4}')
        else:
            folder = Path(words[words.index('--out-dir') + 1])
            folder = folder / 'splits' if name == 'make_toy_dataset.py' else folder
            folder.mkdir(parents=True)
            (folder / 'unlabeled.txt').write_text('')
        return subprocess.CompletedProcess(words, 0)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(subprocess, 'run', machine)
    return machine


def names(machine):
    done, machine.started = [name for name, _ in machine.started], []
    return done


def test_what_is_finished_is_not_repeated(machine, tmp_path, capsys):
    args = ['--methods', 'sup', 'var', '--seeds', '1', '2', '--out-dir', str(tmp_path)]
    bench.main(args)
    done = names(machine)
    assert (done.count('train.py'), done.count('test.py'), len(done)) == (4, 4, 13)
    assert '| consistency, variance | 50.0 ± 0.0 |' in (
        tmp_path / 'methods.md'
    ).read_text('utf-8')

    bench.main([*args, '--jobs', '2'])
    assert not names(machine)
    capsys.readouterr()
    bench.main([*args, '--dry-run'])
    assert not capsys.readouterr().out.strip()

    var = tmp_path / 'runs/var/10_seed2'
    (var / 'metrics.json').unlink()
    bench.main(args)
    assert names(machine) == ['test.py']
    (var / 'metrics.json').unlink()
    (var / 'last_checkpoint').write_text(str(var / 'epoch_3.pth'))
    bench.main(args)
    assert names(machine) == ['train.py', 'test.py']

    bench.main([*args, '--seeds', '1', '2', '3'])
    assert names(machine).count('train.py') == 2


def test_runs_of_another_budget_are_not_mixed(machine, tmp_path):
    args = ['--methods', 'sup', '--seeds', '1', '--out-dir', str(tmp_path)]
    bench.main(args)
    before = (tmp_path / 'runs/sup/10_seed1/run.json').read_text()
    with pytest.raises(SystemExit, match='1 of 1 runs failed'):
        bench.main([*args, '--epochs', '3'])
    assert (tmp_path / 'runs/sup/10_seed1/run.json').read_text() == before


def test_a_run_that_fails_stops_no_other(machine, tmp_path, capsys):
    machine.broken = {('train.py', 'var')}
    args = ['--methods', 'sup', 'var', 'l2', '--seeds', '1', '--out-dir', str(tmp_path)]
    with pytest.raises(SystemExit, match='1 of 3 runs failed'):
        bench.main(args)
    text = capsys.readouterr().out
    assert text.count(' done') == 2 and 'var/10_seed1 FAILED' in text
    assert 'tools/train.py configs/toy_semi_var.py' in text.replace(f'{ROOT}/', '')
    assert {r.method for r in results.read_results(tmp_path, [*plan.METHODS])} == {
        'sup',
        'l2',
    }


def test_the_plots_of_the_page_are_planned(dry_run):
    found = []
    for command in commands(blocks('docs/methods.md')[1]):
        start, script, *given = words(command)
        assert (start, script) == ('python', 'tools/benchmark_methods.py')
        trained = [line for line in dry_run(*given) if line[3].endswith('train.py')]
        runs = [line[line.index('--work-dir') + 1].split('/')[-2:] for line in trained]
        found.append({setting for method, setting in runs if method == 'var'})
    fractions, times = (
        {f'{setting}_seed{seed}' for setting in settings for seed in (1, 2, 3)}
        for settings in (('5', '10', '15', '20'), ('10_1x', '10_2x', '10_3x', '10_4x'))
    )
    assert found == [fractions, times]


@pytest.mark.slow
def test_two_methods_really_run(tmp_path, monkeypatch):
    """The command of the page, with fewer methods, seeds, epochs, steps and videos."""
    (command,) = commands(blocks('docs/methods.md')[0])
    start, script, *given = words(command)
    assert (start, script) == ('python', 'tools/benchmark_methods.py')
    make = importlib.import_module('make_toy_dataset')
    data = tmp_path / 'data'
    sizes = ['--num-train', '16', '--num-test', '4', '--labeled-fraction', '0.25']
    make.main(['--out-dir', str(data), *sizes])
    monkeypatch.setattr(plan, 'STEPS', 5)
    monkeypatch.chdir(ROOT)
    out = tmp_path / 'out'
    args = ['--methods', 'l2', 'mt', '--seeds', '1', '--fractions', '0.25']
    args += ['--epochs', '1', '--data-root', str(data), '--out-dir', str(out)]
    bench.main([*given, *args])
    found = results.read_results(out, [*plan.METHODS])
    assert [result.method for result in found] == ['l2', 'mt', 'mt/teacher']
    for result in found:
        assert all(0 <= result.metrics[k] <= 100 for k in results.METRICS.values())
    log = next((out / 'runs/l2/25_seed1').glob('*/vis_data/2*.json')).read_text()
    assert '"step": 5' in log and 'loss_cons_mask' in log
    costs = json.loads((out / 'results.json').read_text())['costs']
    clips = {name: (c['learning'], c['only_seen']) for name, c in costs.items()}
    assert clips == {'l2': (16, 0), 'mt': (8, 8)}
    assert all(cost['seconds'] > 0 for cost in costs.values())
    assert Config.fromfile(out / 'runs/mt/25_seed1/toy_semi_mean_teacher.py')
