"""Methods, runs and command lines of benchmark_methods.py."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from methods_results import CEILING, SUPERVISED, Setting

ROOT = Path(__file__).resolve().parent.parent
STEPS = 50  # in an epoch
LABELED = 4  # clips in a step
TEST_VIDEOS = 200  # standard error of the accuracy: 3.5 points at most


class Method(NamedTuple):
    """A row of the table.

    Args:
        label: Its name.
        config: Its config.
        options: What is changed in the config.
        rounds: How often the videos are annotated anew (tools/pseudo_label.py), the
            budget shared by all trainings; 0 for one training (tools/train.py).
    """

    label: str
    config: str
    options: tuple[str, ...] = ()
    rounds: int = 0


METHODS = {
    'sup': Method('supervised', 'toy_sup.py'),
    'l2': Method(
        'consistency, L2', 'toy_semi_var.py', ('model.method.attention=None',)
    ),
    'var': Method('consistency, variance', 'toy_semi_var.py'),
    'grad': Method('consistency, gradient', 'toy_semi_grad.py'),
    'both': Method('consistency, variance and gradient', 'toy_semi_both.py'),
    'pseudo': Method('pseudo-label, online', 'toy_semi_pseudo_label.py'),
    'pseudo_offline': Method('pseudo-label, one round', 'toy_sup.py', rounds=1),
    'mixmatch': Method('MixMatch', 'toy_semi_mixmatch.py'),
    'csd': Method('CSD', 'toy_semi_csd.py'),
    'isd': Method('ISD', 'toy_semi_isd.py'),
    'mt': Method('Mean Teacher', 'toy_semi_mean_teacher.py'),
    'smt': Method('Stable Mean Teacher', 'toy_semi_stable_mean_teacher.py'),
    'fft': Method('Mean Teacher, edge attention', 'toy_semi_fft.py'),
    'cepm': Method('CEPM', 'toy_semi_cepm.py'),
    'sup_all': Method('supervised, all labels', 'toy_sup.py'),
}


class Run(NamedTuple):
    """One training and its evaluation."""

    method: str
    setting: Setting
    seed: int

    @property
    def name(self) -> str:
        """Folder of the run, method first."""
        return f'{self.method}/{setting_name(self.setting)}_seed{self.seed}'


class Command(NamedTuple):
    """A command line, done once ``product`` is there."""

    words: tuple[str, ...]
    product: Path


def setting_name(setting: Setting) -> str:
    """A name for files: percent of labels, times of unlabelled videos."""
    times = '' if setting.times is None else f'_{setting.times}x'
    return f'{100 * setting.fraction:g}{times}'


def plan_runs(
    methods: Sequence[str],
    seeds: Sequence[int],
    fractions: Sequence[float],
    unlabeled_times: Sequence[int | None],
) -> list[Run]:
    """All runs, without repetition; the seeds are finished one after the other."""
    runs = {}
    for seed in seeds:
        for fraction in fractions:
            for times in unlabeled_times:
                for method in methods:
                    setting = Setting(fraction, times)
                    if method in SUPERVISED:  # sees no unlabelled video
                        setting = Setting(1.0 if method == CEILING else fraction)
                    runs[Run(method, setting, seed)] = None
    return list(runs)


def split_folder(data: Path, run: Run) -> Path:
    """Where the lists of a run are."""
    return data / f'splits/{setting_name(run.setting)}_seed{run.seed}'


def data_commands(data: Path, runs: Sequence[Run]) -> Iterator[Command]:
    """Make the toy videos and the split lists."""
    make = (str(tool('make_toy_dataset.py')), '--out-dir', str(data))
    make += ('--num-test', str(TEST_VIDEOS))
    yield Command(make, data / 'splits/unlabeled.txt')
    made = set()
    for run in runs:
        folder = split_folder(data, run)
        if run.method == CEILING or folder in made:
            continue
        made.add(folder)
        words = [str(tool('make_split.py')), str(data / 'annotations.json')]
        words += ['--train', str(data / 'splits/train.txt')]
        words += ['--test', str(data / 'splits/test.txt')]
        words += ['--fraction', f'{run.setting.fraction:g}', '--seed', str(run.seed)]
        if run.setting.times is not None:
            words += ['--unlabeled-times', str(run.setting.times)]
        words += ['--out-dir', str(folder)]
        yield Command(tuple(words), folder / 'unlabeled.txt')


def tool(name: str) -> Path:
    """Path of a tool."""
    return shorten(ROOT / 'tools' / name)


def shorten(path: Path) -> Path:
    """Path from the current folder if it is below it."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def train_options(data: Path, run: Run, epochs: int) -> list[str]:
    """What differs from the config: budget and videos."""
    splits = split_folder(data, run).relative_to(data)
    labeled = 'splits/train.txt' if run.method == CEILING else f'{splits}/labeled.txt'
    options = [
        f'train_cfg.max_epochs={epochs}',
        f'param_scheduler.T_max={epochs}',
        f'train_dataloader.sampler.num_rounds={STEPS * LABELED}',
        'train_dataloader.num_workers=0',
        f'train_dataloader.dataset.datasets.0.split_file={labeled}',
    ]
    if run.method not in SUPERVISED and not METHODS[run.method].rounds:
        unlabeled = f'{splits}/unlabeled.txt'
        options.append(f'train_dataloader.dataset.datasets.1.split_file={unlabeled}')
    return options


def run_commands(out_dir: Path, data: Path, run: Run, epochs: int) -> list[Command]:
    """Train and evaluate; both can be given again."""
    method = METHODS[run.method]
    folder = out_dir / 'runs' / run.name
    config = str(shorten(ROOT / 'configs' / method.config))
    last = folder / f'round_{method.rounds}' if method.rounds else folder
    epochs //= method.rounds + 1
    checkpoint = last / f'epoch_{epochs}.pth'
    if method.rounds:
        unlabeled = split_folder(data, run).relative_to(data) / 'unlabeled.txt'
        train = [str(tool('pseudo_label.py')), config, '--unlabeled', str(unlabeled)]
        train += ['--rounds', str(method.rounds), '--work-dir', str(folder)]
        train += ['--cfg-options', f'randomness.seed={run.seed}']
        train += [f'train_cfg.val_interval={epochs + 1}']
    else:
        train = [str(tool('train.py')), config, '--work-dir', str(folder)]
        train += ['--seed', str(run.seed), '--resume', '--no-validate', '--cfg-options']
    train += [*train_options(data, run, epochs), *method.options]
    test = [str(tool('test.py')), config, str(checkpoint)]
    test += ['--work-dir', str(folder / 'test'), '--cfg-options']
    test += ['test_dataloader.num_workers=0', *method.options]
    return [
        Command(tuple(train), checkpoint),
        Command(tuple(test), folder / 'metrics.json'),
    ]


def cost_command(out_dir: Path, data: Path, run: Run, epochs: int) -> Command:
    """Measure what a step of the run's method costs."""
    method, out = METHODS[run.method], out_dir / f'costs/{run.method}.json'
    words = [
        str(tool('method_cost.py')),
        str(shorten(ROOT / 'configs' / method.config)),
    ]
    options = [*train_options(data, run, epochs), *method.options]
    return Command((*words, '--out', str(out), '--cfg-options', *options), out)


def shown(words: Sequence[str], data: Path) -> str:
    """The command as one types it."""
    return f'OMP_NUM_THREADS=1 SSVAD_TOY={data} python {shlex.join(words)}'


def is_done(command: Command) -> bool:
    """Whether a command has nothing left to do; a torn checkpoint does not count."""
    product = command.product
    if product.suffix != '.pth':
        return product.is_file()
    last = product.parent / 'last_checkpoint'  # written after it
    return last.is_file() and Path(last.read_text()).name == product.name
