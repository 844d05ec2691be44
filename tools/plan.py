"""What a training will take: time, loader workers, disk. From rates measured here.

    python tools/plan.py configs/ucf24_semi_var.py --step-seconds 0.5 --gpus 4

--step-seconds is what one process takes for a batch of the config: "time" less
"data_time" in the log of a short run on the machine that will train. How long a clip
takes to load is measured here, on the videos of the config in the order of an epoch,
with one process; clips from a cold disk are slower the first time. Workers are counted
without reserve.

--unlabeled plans with so many unlabelled videos, which need not be there: they are
taken to be like those that are.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmaction.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch.utils.data import ConcatDataset, Dataset

import ssvad  # noqa: F401  (mends and registers)
from cli import Parser


class Measured(NamedTuple):
    """What a plan is made of.

    sizes: Videos of each source, the last one unlabelled. clips: Of an epoch. batch:
    Clips of a step in one process. load_seconds: Of a clip, in one worker.
    video_bytes: Of a video, the mean of each source. weight_bytes: Of all weights.
    state_bytes: Of the optimiser's state.
    """

    sizes: Sequence[int]
    clips: int
    batch: int
    load_seconds: float
    video_bytes: Sequence[float]
    weight_bytes: int
    state_bytes: int


class Plan(NamedTuple):
    """Of one epoch, in seconds; of the disk, in bytes."""

    steps: int
    epoch_seconds: float
    workers: int
    videos: float
    checkpoint: int


def make_plan(measured: Measured, step_seconds: float, gpus: int) -> Plan:
    """Work out a plan.

    Args:
        measured: See :class:`Measured`.
        step_seconds: Of one process for a batch that is there.
        gpus: Processes.
    """
    steps = math.ceil(measured.clips / (measured.batch * gpus))
    return Plan(
        steps=steps,
        epoch_seconds=steps * step_seconds,
        workers=math.ceil(measured.batch * measured.load_seconds / step_seconds),
        videos=sum(n * size for n, size in zip(measured.sizes, measured.video_bytes)),
        checkpoint=measured.weight_bytes + measured.state_bytes,
    )


def sources(dataset: Dataset) -> list[Dataset]:
    """The datasets that a sampler draws from."""
    return list(getattr(dataset, 'datasets', [dataset]))


def mean_bytes(dataset: Dataset, most: int = 1000) -> float:
    """Mean size of the files (or folders of frames) of at most so many videos."""
    indices = range(0, len(dataset), max(1, len(dataset) // most))
    return sum(map(_size, (_filename(dataset, i) for i in indices))) / len(indices)


def _filename(dataset: Dataset, index: int) -> str:
    if isinstance(dataset, ConcatDataset):
        part, index = dataset._get_ori_dataset_idx(index)
        return _filename(dataset.datasets[part], index)
    return dataset.get_data_info(index)['filename']


def _size(name: str) -> int:
    path = Path(name)
    if path.is_file():
        return path.stat().st_size
    folder = path if path.is_dir() else path.parent
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def measure(cfg: Config, samples: int, unlabeled: int | None) -> Measured:
    """Load clips as the first worker would, look at the files, build the model.

    Args:
        cfg: Config of the run.
        samples: Clips to load; two more come first and do not count.
        unlabeled: Unlabelled videos to plan with, if not those that are there.
    """
    loader = cfg.train_dataloader
    dataset = DATASETS.build(loader.dataset)
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    order = iter(_sampler(loader, dataset, seed))
    order = [index for index, _ in zip(order, range(samples + 2))]
    for index in order[:2]:
        dataset[index]
    began = time.perf_counter()
    for index in order[2:]:
        dataset[index]
    load_seconds = (time.perf_counter() - began) / len(order[2:])

    parts = sources(dataset)
    sizes = [len(part) for part in parts]
    if unlabeled is not None:
        sizes[-1] = unlabeled
    planned = range(sizes[0])
    if len(parts) > 1:
        planned = ConcatDataset([range(size) for size in sizes])
    model = MODELS.build(cfg.model)
    trained = [p for p in model.parameters() if p.requires_grad]
    moments = 2 if 'Adam' in cfg.optim_wrapper.optimizer.type else 1
    return Measured(
        sizes=sizes,
        clips=len(_sampler(loader, planned, seed)),
        batch=loader.batch_size,
        load_seconds=load_seconds,
        video_bytes=[mean_bytes(part) for part in parts],
        weight_bytes=sum(x.nbytes for x in model.state_dict().values()),
        state_bytes=moments * sum(p.nbytes for p in trained),
    )


def _sampler(loader: dict, dataset, seed: int):
    return DATA_SAMPLERS.build(
        loader['sampler'], default_args=dict(dataset=dataset, seed=seed)
    )


def parse_args(argv=None) -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = Parser(description='What a training will take, from rates measured here.')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--step-seconds',
        type=float,
        required=True,
        help='what one process takes for a batch: time less data_time in the log',
    )
    parser.add_argument('--gpus', type=int, default=1, help='processes (1)')
    parser.add_argument(
        '--unlabeled', type=int, help='plan with so many unlabelled videos'
    )
    parser.add_argument(
        '--samples', type=int, default=64, help='clips to measure loading with (64)'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='as of tools/train.py'
    )
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    for name in ('step_seconds', 'gpus', 'unlabeled', 'samples'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f'--{name.replace("_", "-")} must be above 0, got {value}')
    return parser, args


def main(argv=None) -> None:
    """Run the tool."""
    parser, args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    lists = cfg.train_dataloader.dataset.get('datasets', ())
    if args.unlabeled is not None and len(lists) < 2:
        parser.error(f"'{args.config}' trains on one source, none of it unlabelled")
    found = measure(cfg, args.samples, args.unlabeled)
    plan = make_plan(found, args.step_seconds, args.gpus)
    epochs = cfg.train_cfg.max_epochs
    clips = args.gpus * found.batch
    print(
        f'videos      {" + ".join(map(str, found.sizes))}, {plan.videos / 1e9:.2f} GB\n'
        f'epoch       {found.clips} clips, {plan.steps} steps of {clips}: '
        f'{plan.epoch_seconds / 3600:.2f} h\n'
        f'training    {epochs} epochs: {epochs * plan.epoch_seconds / 86400:.2f} days, '
        'without validation\n'
        f'loading     {1e3 * found.load_seconds:.1f} ms a clip: {plan.workers} workers '
        f'for each of {args.gpus} processes (the config has '
        f'{cfg.train_dataloader.num_workers})\n'
        f'checkpoint  {plan.checkpoint / 1e6:.0f} MB, of which weights '
        f'{found.weight_bytes / 1e6:.0f} MB'
    )


if __name__ == '__main__':
    main()
