r"""Train and evaluate all methods on the toy world, under one budget.

    python tools/benchmark_methods.py --dry-run          # the commands, nothing else
    python tools/benchmark_methods.py --jobs 2           # 10 % labels, three seeds
    python tools/benchmark_methods.py --methods sup var smt sup_all \
        --fractions 0.05 0.1 0.15 0.2
    python tools/benchmark_methods.py --methods sup var smt sup_all \
        --unlabeled-times 1 2 3 4                        # the paper's Figure 5

Every run is tools/train.py and tools/test.py on a config of the table METHODS; what
--dry-run prints can be run by hand. All see the same number of steps and of labelled
clips a step, and what depends on the seed is the same for all: labelled videos, initial
weights of the detector, order of the labelled clips.

Finished runs are not repeated and interrupted ones go on from their last epoch, so the
command may be stopped and given again. The report is on all runs in --out-dir:
methods.md with a table per setting, results.csv, results.json, plots.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date
from pathlib import Path

from methods_plan import (
    METHODS,
    ROOT,
    STEPS,
    Run,
    cost_command,
    data_commands,
    is_done,
    plan_runs,
    run_commands,
    shown,
)
from methods_report import write_report
from methods_results import read_results

EPOCHS = 24
HEAD = """\
# Methods on the toy world

`{command}`, finished on {date}.

Mean ± standard deviation over seeds, percent. Standard protocol: video- and frame-mAP
at IoU 0.5, accuracy; capsule protocol: share of frames and videos found. *gain*:
video-mAP@.5 less that of the supervised run of the same seed. *s/step*: processor
seconds of a training step on one thread, without loading. *clips/step*: clips through
the backbone with gradient + without."""


def execute(words: Sequence[str], data: Path, log: Path) -> None:
    """Run a command, its output appended to a file.

    Raises:
        RuntimeError: if it fails; names command and log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    env = dict(os.environ, OMP_NUM_THREADS='1', SSVAD_TOY=str(data))
    with log.open('a', encoding='utf-8') as file:
        file.write(f'$ {shown(words, data)}\n')
        file.flush()
        done = subprocess.run(
            [sys.executable, *words], env=env, stdout=file, stderr=file
        )
    if done.returncode:
        raise RuntimeError(f'failed, see {log}:\n{shown(words, data)}')


def do_run(out_dir: Path, data: Path, run: Run, epochs: int) -> None:
    """Whatever of a run is not done yet.

    Raises:
        RuntimeError: if a command fails, or the folder has a run of other settings.
    """
    train, test = run_commands(out_dir, data, run, epochs)
    folder, log = test.product.parent, test.product.parent / 'log.txt'
    notes = dict(
        method=run.method,
        label=METHODS[run.method].label,
        **run.setting._asdict(),
        seed=run.seed,
        command=shown(train.words, data),
    )
    file = folder / 'run.json'
    if file.is_file():
        before = json.loads(file.read_text('utf-8'))
        if before != notes:
            raise RuntimeError(
                f'{folder} holds a run of another command, remove it or name another '
                f'--out-dir: {before["command"]}'
            )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(notes, indent=1) + '\n', 'utf-8')
    if not is_done(test):
        if not is_done(train):
            execute(train.words, data, log)
        execute(test.words, data, log)
        newest = max((folder / 'test').glob('*/*.json'))
        test.product.write_text(newest.read_text('utf-8'), 'utf-8')


def report(out_dir: Path, command: str) -> None:
    """Write the report on all runs there are."""
    results = read_results(out_dir, list(METHODS))
    if not results:
        return
    files = sorted((out_dir / 'costs').glob('*.json'))
    costs = {file.stem: json.loads(file.read_text('utf-8')) for file in files}
    today = date.today().isoformat()
    head = HEAD.format(command=command, date=today)
    for path in write_report(out_dir, results, costs, head):
        print(path)


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Train and evaluate all methods on the toy world.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add('--methods', nargs='+', choices=METHODS, default=list(METHODS), metavar='M')
    add('--seeds', nargs='+', type=int, default=[1, 2, 3])
    add('--fractions', nargs='+', type=float, default=[0.1], help='labelled share')
    add(
        '--unlabeled-times',
        nargs='+',
        type=int,
        default=[None],
        metavar='N',
        help='unlabelled videos per labelled one (all the rest)',
    )
    add('--epochs', type=int, default=EPOCHS, help=f'of {STEPS} steps')
    add('--jobs', type=int, default=1, help='runs at a time, one thread each')
    add('--out-dir', type=Path, default=Path('work_dirs/methods'))
    add('--data-root', type=Path, help='toy videos, made if absent (OUT_DIR/data)')
    add('--dry-run', action='store_true', help='print the commands that are left')
    args = parser.parse_args(argv)
    missing = {METHODS[name].config for name in args.methods}
    missing = sorted(c for c in missing if not (ROOT / 'configs' / c).is_file())
    if missing:
        parser.error(f'no such config: {", ".join(missing)}; choose with --methods')
    return args


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    out, epochs = args.out_dir, args.epochs
    data = args.data_root or out / 'data'
    runs = plan_runs(args.methods, args.seeds, args.fractions, args.unlabeled_times)
    first = {run.method: run for run in reversed(runs)}
    single = [*data_commands(data, runs)]
    single += [cost_command(out, data, first[name], epochs) for name in args.methods]
    if args.dry_run:
        single += [c for run in runs for c in run_commands(out, data, run, epochs)]
        print('\n'.join(shown(c.words, data) for c in single if not is_done(c)))
        return
    for command in single:
        if not is_done(command):
            execute(command.words, data, out / 'preparation.txt')
    failures = []
    with ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(do_run, out, data, run, epochs): run for run in runs}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                error = future.exception()
                if error is not None:
                    failures.append(error)
                state = 'done' if error is None else f'FAILED: {error}'
                print(f'{done}/{len(runs)} {futures[future].name} {state}', flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    words = sys.argv[1:] if argv is None else argv
    report(out, f'python tools/benchmark_methods.py {shlex.join(words)}')
    if failures:
        raise SystemExit(f'{len(failures)} of {len(runs)} runs failed; see above')


if __name__ == '__main__':
    main()
