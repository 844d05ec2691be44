"""Self-training with pseudo-labels, in rounds (Lee 2013).

python tools/pseudo_label.py configs/toy_sup.py --unlabeled splits/unlabeled.txt

Round 0 trains the supervised config. Each further round lets the last detector annotate
the unlabelled videos, keeps what it is sure of, and trains the same config from new
weights on labelled and kept videos. Every round has its folder
``<work-dir>/round_<n>`` with the config, the annotation file and the checkpoints; what
is finished is not done again, so an interrupted command is simply given once more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import join_path
from mmengine.utils import is_abs

import ssvad  # noqa: F401  (first: mends and registers)
from cli import Parser, load_config, make_parser

TOOLS = Path(__file__).resolve().parent


def parse_args() -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = make_parser('Self-training with pseudo-labels, in rounds')
    parser.add_argument(
        '--unlabeled',
        required=True,
        help="list of the unlabelled videos, relative to the config's data_root",
    )
    parser.add_argument('--rounds', type=int, default=3, help='after round 0 (3)')
    parser.add_argument(
        '--class-thr',
        type=float,
        default=0.1,
        help='least lead of the best class over the second (0.1)',
    )
    parser.add_argument(
        '--mask-thr',
        type=float,
        default=0.7,
        help='least mean probability of the foreground (0.7)',
    )
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f'--rounds must be at least 1, got {args.rounds}')
    return parser, args


def source_of(dataset: dict) -> dict:
    """The only TubeDataset inside wrappers.

    Raises:
        ValueError: If there are several, or it is of another type.
    """
    while 'dataset' in dataset or len(dataset.get('datasets', ())) == 1:
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    if dataset.get('type') != 'TubeDataset':
        raise ValueError(
            'pseudo-labels are for configs that train on one TubeDataset, such as '
            f'configs/ucf24_sup.py; this one has {dataset.get("type")}'
        )
    return dataset


def absolute(source: dict, name: str) -> str:
    """A path of a dataset config, with its ``data_root``."""
    root = source.get('data_root', '')
    return name if is_abs(name) else str(Path(join_path(root, name)).resolve())


def prediction_config(cfg: Config, args: argparse.Namespace, folder: Path) -> Config:
    """Config that annotates the unlabelled videos instead of evaluating."""
    cfg = Config(cfg.to_dict())
    source = source_of(cfg.train_dataloader.dataset)
    cfg.test_dataloader.dataset.split_file = absolute(source, args.unlabeled)
    cfg.test_evaluator = dict(
        type='PseudoLabelWriter',
        out_dir=str(folder),
        ann_file=absolute(source, source.ann_file),
        labeled_split=absolute(source, source.split_file),
        class_thr=args.class_thr,
        mask_thr=args.mask_thr,
    )
    cfg.custom_hooks = []
    return cfg


def training_config(cfg: Config, folder: Path) -> Config:
    """Config that trains on the annotations of a round."""
    cfg = Config(cfg.to_dict())
    source = source_of(cfg.train_dataloader.dataset)
    root = source.pop('data_root', '')
    source.data_prefix = dict(
        video=str(Path(join_path(root, source.data_prefix.video)).resolve()),
        mask=str(folder / 'masks'),
    )
    source.ann_file = str(folder / 'annotations.json')
    source.split_file = str(folder / 'labeled.txt')
    return cfg


def run(script: str, config: Path, work_dir: Path, *arguments: str) -> None:
    """Run one of our tools and leave if it fails."""
    command = [sys.executable, str(TOOLS / script), str(config), *arguments]
    done = subprocess.run([*command, '--work-dir', str(work_dir)])
    if done.returncode:
        raise SystemExit(f'pseudo_label.py: {script} failed in {work_dir}')


def train(cfg: Config, folder: Path) -> None:
    """Train a round, or go on with it, and mark it as finished."""
    if (folder / 'finished').is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    cfg.dump(folder / 'train.py')
    run('train.py', folder / 'train.py', folder, '--resume')
    (folder / 'finished').touch()


def main() -> None:
    """Train, annotate, train again."""
    parser, args = parse_args()
    cfg = load_config(parser, args)
    work_dir = Path(cfg.work_dir).resolve()
    try:
        source_of(cfg.train_dataloader.dataset)
    except ValueError as error:
        parser.error(str(error))
    folder = work_dir / 'round_0'
    train(Config(cfg.to_dict()), folder)
    for number in range(1, args.rounds + 1):
        last = (folder / 'last_checkpoint').read_text().strip()
        folder = work_dir / f'round_{number}'
        if not (folder / 'labeled.txt').is_file():
            folder.mkdir(parents=True, exist_ok=True)
            prediction_config(cfg, args, folder).dump(folder / 'predict.py')
            run('test.py', folder / 'predict.py', folder, last)
        train(training_config(cfg, folder), folder)
    print(f'last detector: {(folder / "last_checkpoint").read_text().strip()}')


if __name__ == '__main__':
    main()
