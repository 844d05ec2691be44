"""What it costs to detect in a clip, in multiply-adds, and how many weights do it.

    python tools/get_flops.py configs/ucf24_semi_var.py
    python tools/get_flops.py configs/ucf24_semi_var.py --shape 8 112 112

Counted is what inference runs: of a semi-supervised model the detector alone, no
teacher, no second view, no loss. The clip is that of the config's test pipeline. Each
frame of a video is in one clip, so a frame costs a clip's share, times the crops where
the pipeline takes several (CoverCrops).

One multiply-add is one, as in mmengine and in most papers, and not two. Convolutions
and matrix products count, so of the capsule routing the votes do; normalisation,
activations, softmax and what else goes element by element, as the statistics of the
routing, do not, though they take time. PyTorch's own counter is used: mmengine's
``get_model_complexity_info`` follows a trace and misses convolutions that run within
autograd functions (the primary capsules, 14.7 G of a clip of 8 x 224 x 224). Nothing is
computed, only shapes go through the network.

Two numbers come out for the capsule head: what runs here, and what the same function
takes layer by layer, as it was published. Compare the second with other papers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

import ssvad  # noqa: F401  (first: mends and registers)
from cli import Parser
from export import clip_size
from ssvad.apis.model_loading import build_detector, read_config


def count_multiply_adds(model: nn.Module, shape: Sequence[int]) -> dict[str, int]:
    """Multiply-adds of one forward pass.

    Args:
        model: in eval mode, called with a float tensor.
        shape: of the tensor.

    Returns:
        Numbers by dotted name of the module, '' for the whole model; modules that only
        hold others or do nothing countable are left out.
    """
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(*shape))
    root = type(model).__name__
    counts = {
        name[len(root) + 1 :]: sum(ops.values()) // 2
        for name, ops in counter.get_flop_counts().items()
        if name == root or name.startswith(f'{root}.')
    }
    return {'': counter.get_total_flops() // 2, **counts}


def as_published(cfg: Config) -> Config | None:
    """The config with the capsule head computed layer by layer, if it is not yet."""
    plain = Config(cfg.to_dict())
    detector = plain.model.get('detector', plain.model)
    head = detector.get('head') or {}
    if head.get('type') != 'CapsuleRoutingHead':
        return None
    if head.get('implementation', 'fast') == 'plain':
        return None
    head.implementation = 'plain'
    return plain


def full_shape(sizes: Sequence[int], cfg: Config) -> tuple[int, ...]:
    """(1, 3, T, H, W) from what ``--shape`` says.

    Args:
        sizes: nothing (all from the test pipeline), the side of a square, H W, or
            T H W.
        cfg: a config with a test pipeline.

    Raises:
        ValueError: if the pipeline has to be asked and does not say, or there are too
            many numbers.
    """
    if len(sizes) > 3:
        raise ValueError(f'--shape takes S, H W or T H W, got {list(sizes)}')
    if len(sizes) == 3:
        return (1, 3, *sizes)
    if cfg.get('test_dataloader') is None:
        raise ValueError('the config has no test_dataloader: give --shape T H W')
    frames, *area = clip_size(cfg.test_dataloader.dataset.pipeline)
    if sizes:
        area = (sizes[0], sizes[-1])
    return (1, 3, frames, *area)


def table(counts: dict[str, int], network: nn.Module) -> list[str]:
    """A line for the network, for its parts, and for the parts of the head.

    Some layers of the fast head are not called but their weights used, so that no part
    has their products; the last line holds these.
    """
    parts = dict(network.named_modules())
    shown = [
        n for n in counts if n in parts and (n.count('.') == 0 or n[:5] == 'head.')
    ]
    rows = {n: (parts[n], counts[n]) for n in shown if n.count('.') <= 1}
    lines = [f'{"":24}{"weights":>12}{"multiply-adds":>16}']
    for name, (part, number) in rows.items():
        lines.append(
            _row(name or 'all', sum(p.numel() for p in part.parameters()), number)
        )
    within = [name for name in rows if name[:5] == 'head.']
    if within:
        rest = counts['head'] - sum(counts[name] for name in within)
        others = [
            p
            for n, p in parts['head'].named_parameters()
            if 'head.' + n.split('.')[0] not in within
        ]
        lines.append(_row('head, the rest', sum(p.numel() for p in others), rest))
    return lines


def _row(name: str, weights: int, number: int) -> str:
    return f'{name:24}{weights / 1e6:>10.3f} M{number / 1e9:>14.3f} G'


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[Parser, argparse.Namespace]:
    """Read the command line."""
    parser = Parser(description='Count the multiply-adds of a detector for one clip.')
    add = parser.add_argument
    add('config', help='config file')
    add(
        '--shape',
        type=int,
        nargs='+',
        default=[],
        help='S, H W or T H W (those of the test pipeline)',
    )
    add('--cfg-options', nargs='+', action=DictAction, help='as of tools/train.py')
    args = parser.parse_args(argv)
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' not found")
    return parser, args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser, args = parse_args(argv)
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    model, _ = build_detector(cfg)
    network = getattr(model, 'network', model)
    try:
        shape = full_shape(args.shape, cfg)
        counts = count_multiply_adds(network, shape)
        plain = as_published(cfg)
        if plain is not None:
            published, _ = build_detector(plain)
            published = getattr(published, 'network', published)
            published = count_multiply_adds(published, shape)['']
    except ValueError as error:
        parser.error(str(error))
    print('\n'.join(table(counts, network)))
    frames, height, width = shape[2:]
    print(f'\nClip: {frames} frames of {height} x {width}, RGB')
    print(
        f'Multiply-adds: {counts[""] / 1e9:.3f} G a clip, '
        f'{counts[""] / frames / 1e9:.3f} G a frame'
    )
    if plain is not None:
        print(f'Layer by layer, as published: {published / 1e9:.3f} G a clip')
    weights = sum(p.numel() for p in network.parameters())
    print(f'Weights: {weights / 1e6:.3f} M')


if __name__ == '__main__':
    main()
