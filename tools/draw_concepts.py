"""Draw the pictures of docs/concepts.md.

    make demo
    python tools/draw_concepts.py configs/toy_semi_var.py \
        work_dirs/toy_semi_var/epoch_16.pth --out-dir docs/pictures

Frames, masks and maps are those of toy training clips and of the network in the
checkpoint; the sketch of the network and the ramp need neither. The config has
to have the views ``base`` and ``flip``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmaction.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, set_random_seed
from torch import Tensor

import ssvad  # noqa: F401  (mends and registers)
from cli import Parser, check_checkpoint
from network_sketch import draw_network
from ssvad.models.losses.attention import (
    CyclicVariance,
    GradientSmoothness,
    TemporalVariance,
)
from ssvad.models.semi.step import Step
from ssvad.ramps import Progress, sigmoid_ramp

# colours of Okabe and Ito, as in the charts of an evaluation
GREEN, ORANGE = '#009e73', '#d55e00'


def read_clips(cfg: Config, number: int, seed: int) -> list[dict]:
    """The first packed clips of an epoch, labelled and unlabelled taking turns."""
    set_random_seed(seed)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    made = dict(dataset=dataset, seed=seed)
    order = list(DATA_SAMPLERS.build(cfg.train_dataloader.sampler, default_args=made))
    return [dataset[index] for index in order[:number]]


def is_labeled(packed: Mapping) -> bool:
    """Whether a clip has its annotation."""
    return 'gt_label' in packed['data_samples']


@torch.no_grad()
def masks_of(model, packed: Mapping) -> dict[str, Tensor]:
    """What the network says about both views of a clip.

    Returns:
        (1, T, H, W) logits: ``base``, ``flip`` as it was seen, and ``aligned``, the
        latter in the frame of the former.
    """
    batch = {key: [value] for key, value in packed.items()}
    data = model.data_preprocessor(batch, training=False)
    step = Step(model.detector, data['inputs'], data['data_samples'])
    first, second = step.student('base').mask, step.student('flip').mask
    aligned, _ = step.align(second, 'flip')
    return dict(base=first, flip=second, aligned=aligned)


def film(rows: Mapping[str, tuple]) -> Figure:
    """Rows of frames or maps (T, H, W[, 3]) beside their names.

    Args:
        rows: Name -> (pictures, colour map); maps of numbers span [0, 1].
    """
    frames = len(next(iter(rows.values()))[0])
    figure = Figure((0.95 * frames + 1.7, 0.98 * len(rows) + 0.3), layout='constrained')
    panels = figure.subplots(len(rows), frames, squeeze=False)
    for line, (name, (pictures, colours)) in zip(panels, rows.items()):
        for panel, picture in zip(line, pictures):
            show(panel, picture, colours)
        line[0].set_ylabel(name, rotation=0, ha='right', va='center', fontsize=9)
    return figure


def show(panel: Axes, picture, colours: str | None = None) -> None:
    """Show pixels as they are, without axes."""
    panel.imshow(picture, cmap=colours, vmin=0, vmax=1, interpolation='nearest')
    panel.set(xticks=[], yticks=[])


def frames_of(packed: Mapping, view: int) -> np.ndarray:
    """(T, H, W, 3) uint8 of one view."""
    return packed['inputs'][view].permute(1, 2, 3, 0).numpy()


def draw_views(packed: Mapping, masks: Mapping[str, Tensor]) -> Figure:
    """Both views, their masks, and where they disagree."""
    maps = {name: logits.sigmoid()[0].numpy() for name, logits in masks.items()}
    difference = (maps['base'] - maps['aligned']) ** 2
    return film(
        {
            'clip': (frames_of(packed, 0), None),
            'mirror image': (frames_of(packed, 1), None),
            'mask of the clip': (maps['base'], 'gray'),
            'mask of the\nmirror image': (maps['flip'], 'gray'),
            'the same,\nmirrored back': (maps['aligned'], 'gray'),
            f'squared\ndifference\n(1 is {difference.max():.2f})': (
                difference / difference.max(),
                'magma',
            ),
        }
    )


def draw_attention(packed: Mapping, masks: Mapping[str, Tensor]) -> Figure:
    """What each attention makes of the masks of one clip."""
    pair = masks['base'], masks['aligned']
    attentions = {
        'V: variance': TemporalVariance(),
        'VC: variance on\nthe ring': CyclicVariance(),
        'G: curvature': GradientSmoothness(),
    }
    rows = {
        'clip': (frames_of(packed, 0), None),
        'mask': (pair[0].sigmoid()[0].numpy(), 'gray'),
    }
    for name, attention in attentions.items():
        rows[name] = attention(*pair)[0].numpy(), 'magma'
    return film(rows)


def draw_batch(clips: Sequence[Mapping], classes: Sequence[str]) -> Figure:
    """A frame of each view of each clip; labelled ones with their truth."""
    clips = sorted(clips, key=is_labeled, reverse=True)
    figure = Figure((1.15 * len(clips), 2.55), layout='constrained')
    panels = figure.subplots(2, len(clips))
    for column, packed in zip(panels.T, clips):
        sample = packed['data_samples']
        known = is_labeled(packed)
        colour = GREEN if known else ORANGE
        middle = packed['inputs'].shape[2] // 2
        for view, panel in enumerate(column):
            show(panel, frames_of(packed, view)[middle])
            for spine in panel.spines.values():
                spine.set(color=colour, linewidth=3)
        if known:
            truth = sample.gt_mask[middle].numpy()
            column[0].contour(truth, [0.5], colors=[GREEN], linewidths=1.5)
            column[1].contour(truth[:, ::-1], [0.5], colors=[GREEN], linewidths=1.5)
        label = classes[int(sample.gt_label)] if known else 'unlabelled'
        column[0].set_title(label, fontsize=9, color=colour)
    for name, panel in zip(('clip', 'mirror\nimage'), panels[:, 0]):
        panel.set_ylabel(name, fontsize=9)
    return figure


def draw_ramp(epochs: int = 100) -> Figure:
    """Share of the attended distance over training."""
    figure = Figure((4.2, 2.1), layout='constrained')
    panel = figure.subplots()
    weights = [sigmoid_ramp(Progress(epoch, epochs)) for epoch in range(epochs)]
    panel.plot(range(1, epochs + 1), weights, color=GREEN)
    panel.set_xlabel(f'epoch of {epochs}', fontsize=9)
    panel.set_ylabel('w', rotation=0, fontsize=9)
    panel.grid(color='#e8e8e8')
    return figure


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description='Draw the pictures of docs/concepts.md.')
    parser.add_argument('config', help='config file with two views')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('--out-dir', type=Path, default=Path('pictures'))
    parser.add_argument('--seed', type=int, default=47, help='of the clips (47)')
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    check_checkpoint(parser, args.checkpoint)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, args.checkpoint, map_location='cpu', strict=True)
    clips = read_clips(cfg, 8, args.seed)
    classes = DATASETS.build(cfg.train_dataloader.dataset).metainfo['classes']
    found = [(p, masks_of(model, p)) for p in clips if not is_labeled(p)]
    # the clip in which the network sees most
    unlabeled, masks = max(found, key=lambda pair: pair[1]['base'].sigmoid().sum())
    figures = dict(
        two_views=draw_views(unlabeled, masks),
        attention=draw_attention(unlabeled, masks),
        batch=draw_batch(clips, classes),
        ramp=draw_ramp(),
        network=draw_network(),
    )
    args.out_dir.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        # without date and version, so that the same figure is the same file
        figure.savefig(
            args.out_dir / f'{name}.png', dpi=100, metadata=dict(Software=None)
        )
        print(args.out_dir / f'{name}.png')


if __name__ == '__main__':
    main()
