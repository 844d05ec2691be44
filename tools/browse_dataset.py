"""Draw what the pipeline of a config makes, as pictures.

    python tools/browse_dataset.py configs/ucf24_semi_var.py
    python tools/browse_dataset.py configs/ucf24_semi_var.py --split test --number 20
    python tools/browse_dataset.py configs/ucf24_semi_var.py --checkpoint epoch_9.pth

A picture is one clip as training gets it: under its class (or UNLABELLED) and the name
of its video, a row for each view with the annotation in green. If the config has a
semi-supervised method, rows follow with what it compares and attends to: masks of all
views and the attention maps, blue (0) to red (1). They are those of the checkpoint or,
without one, of a network that has learnt nothing, which the picture says.

Training clips are the first of an epoch; of validation and test videos, which are drawn
as whole videos, it is evenly spread ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, set_random_seed

import ssvad  # noqa: F401  (mends and registers)
from cli import Parser, check_checkpoint
from ssvad.datasets.frame_reader import VideoReadError
from ssvad.visualization import draw
from ssvad.visualization.browse import clip_sheet, describe, spread, video_sheet


class MethodMaps:
    """What the method of a semi-supervised config computes of one clip.

    Args:
        cfg: Config of the model.
        checkpoint: Weights; None for a network that has learnt nothing.
    """

    def __init__(self, cfg: dict, checkpoint: str | None):
        self.model = MODELS.build(cfg).eval()
        self.note = 'UNTRAINED network'
        if checkpoint is not None:
            load_checkpoint(self.model, checkpoint, map_location='cpu', strict=True)
            self.note = Path(checkpoint).name

    @torch.no_grad()
    def __call__(self, packed: dict) -> dict:
        """Maps (T, H, W) in [0, 1] by name."""
        batch = {key: [value] for key, value in packed.items()}
        data = self.model.data_preprocessor(batch, training=False)
        maps = self.model.method_maps(data['inputs'], data['data_samples'])
        return {f'{name} - {self.note}': values[0] for name, values in maps.items()}


def choose(loader: dict, dataset, split: str, number: int, seed: int) -> list[int]:
    """Indices of the samples to draw.

    Args:
        loader: Config of the data loader.
        dataset: Its dataset.
        split: Of 'train' the first samples of an epoch are taken, of others evenly
            spread ones.
        number: How many, if there are so many.
        seed: Of the order.
    """
    made = dict(dataset=dataset, seed=seed)
    order = list(DATA_SAMPLERS.build(loader['sampler'], default_args=made))
    if split == 'train':
        return order[:number]
    return [order[place] for place in spread(len(order), number)]


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = Parser(description='Draw what the pipeline of a config makes.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train')
    parser.add_argument('--number', type=int, default=8, help='pictures (8)')
    parser.add_argument(
        '--out-dir', type=Path, help='where to (./work_dirs/<config name>/browse)'
    )
    parser.add_argument('--checkpoint', help='weights that attention is computed with')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='as of tools/train.py'
    )
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    if args.number < 1:
        parser.error(f'--number must be at least 1, got {args.number}')
    if args.checkpoint is not None:
        check_checkpoint(parser, args.checkpoint)
    return parser, args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser, args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    loader = cfg.get(f'{args.split}_dataloader')
    if loader is None:
        parser.error(f"'{args.config}' has no {args.split}_dataloader")
    train = args.split == 'train'
    semi = 'method' in cfg.model
    if args.checkpoint is not None and not (train and semi):
        parser.error(
            '--checkpoint shows what a method attends to: it needs --split train and '
            'a config with model.method; tools/test.py draws detections'
        )
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    set_random_seed(seed)
    dataset = DATASETS.build(loader.dataset)
    classes = dataset.metainfo['classes']
    maps = MethodMaps(cfg.model, args.checkpoint) if train and semi else None
    out = args.out_dir or Path('work_dirs', Path(args.config).stem, 'browse')
    out.mkdir(parents=True, exist_ok=True)
    chosen = choose(loader, dataset, args.split, args.number, seed)
    for number, index in enumerate(chosen):
        try:
            packed = dataset[index]
        except VideoReadError as error:
            raise SystemExit(str(error)) from error
        clips, sample = packed['inputs'], packed['data_samples']
        if train:
            sheet = clip_sheet(clips, sample, classes, maps and maps(packed))
        else:
            sheet = video_sheet(clips, sample, classes)
        name = sample.video_id.replace('/', '_')
        path = out / f'{args.split}_{number:03d}_{name}.png'
        draw.save_png(str(path), sheet)
        print(f'{path}  {describe(sample, classes)}', flush=True)
    print(f'{len(chosen)} pictures of {len(dataset)} samples')


if __name__ == '__main__':
    main()
