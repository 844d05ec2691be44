"""Write a detector to a file that runs without this package.

    python tools/export.py configs/toy_semi_var.py work_dirs/toy_semi_var/epoch_16.pth \
        --out model.onnx --video my_video.mp4

The exported network takes ``clips`` (B, 3, T, H, W), float32 RGB in [0, 1], and gives
``mask`` (B, T, H, W), logits (> 0 is action), and ``scores`` (B, K) in [0, 1], each on
its own. Means and standard deviations of the config are part of it. Of a checkpoint of
semi-supervised training the student is taken, or the teacher with ``--net teacher``.

| --format | file | to run it |
|---|---|---|
| onnx | .onnx | onnxruntime; tools/standalone/run_onnx.py |
| exported | .pt2 | ``torch.export.load(path).module()(clips)`` |
| torchscript | .pt | ``torch.jit.load(path)(clips)``, from C++ too |

T, H and W are fixed: those of the config's test pipeline, or ``--size``. B is --clips,
or any number with --dynamic-batch. Batch norm of I3D is folded into its convolutions.

The file is then read again and compared with PyTorch on random clips, and on clips of a
video with --video. It is an error if they are further apart than --tolerance and than
ten times the distance of PyTorch from itself in double precision. The mask is that of
the class with the highest score. Where two scores are closer than rounding, the file
may choose the other; such clips are counted, and their masks not compared.

Needs ``pip install -e '.[export]'`` for ONNX. The files hold class names, how many
frames apart the frames of a clip are, and the test pipeline's transforms of frames.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import DictAction
from mmengine.dataset import Compose
from torch import Tensor, nn

import ssvad  # noqa: F401  (first: mends and registers)
from export_formats import SUFFIXES, ExportedDetector, Network, load, write
from ssvad.apis.frame_transforms import stream_settings
from ssvad.apis.model_loading import build_detector, read_config
from ssvad.datasets.frame_reader import count_frames

ONNX_PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')


class Difference(NamedTuple):
    """How far apart two networks are on N clips.

    mask: largest absolute difference of logits, of clips for which both choose the
        same class.
    scores: largest absolute difference of class scores.
    others: number of clips for which they choose different classes.
    """

    mask: float
    scores: float
    others: int


def difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> Difference:
    """Compare masks (N, T, H, W) and scores (N, K) of two networks."""
    apart = [(a - b).abs() for a, b in zip(first, second)]
    same = first[1].argmax(1) == second[1].argmax(1)
    mask = apart[0][same].max().item() if same.any() else 0.0
    return Difference(mask, apart[1].max().item(), int((~same).sum()))


@torch.no_grad()
def run(network: Network, clips: Tensor, size: int) -> list[Tensor]:
    """Masks and scores of (N, 3, T, H, W) clips, given ``size`` at a time.

    The last clip is repeated where clips are missing.
    """
    outputs = []
    for start in range(0, len(clips), size):
        index = torch.arange(start, start + size).clamp(max=len(clips) - 1)
        outputs.append(network(clips[index]))
    return [torch.cat(parts)[: len(clips)] for parts in zip(*outputs)]


def check(
    model: nn.Module, network: ExportedDetector, loaded: Network, clips: Tensor, size
) -> tuple[Difference, Difference]:
    """Compare a file with the model that the config describes.

    Routing multiplies rounding, for some clips a lot, so the measure is how far the
    model is from itself in double precision.

    Args:
        model: In eval mode, with its data preprocessor.
        network: What was written, in double precision.
        loaded: What :func:`load` reads from the file.
        clips: (N, 3, T, H, W) uint8 RGB.
        size: Clips to give at a time.

    Returns:
        Difference of the file from the model; of the model from double precision.
    """

    def original(part: Tensor) -> Sequence[Tensor]:
        data = model.data_preprocessor(dict(inputs=[part], data_samples=[None]))
        return model(data['inputs'][0], mode='tensor')[:2]

    wanted = run(original, clips, size)
    exact = run(lambda part: network(part.double() / 255), clips, size)
    found = run(lambda part: loaded(part / 255), clips, size)
    return difference(found, wanted), difference(wanted, exact)


def read_clips(video: str, pipeline: Sequence[Mapping], count: int) -> Tensor:
    """Cut the first clips out of a video as the test pipeline does.

    Returns:
        (N, 3, T, H, W) uint8, N at most ``count``.
    """
    stream = stream_settings(pipeline)
    length, interval = stream['clip_len'], stream['frame_interval']
    steps = [
        dict(type='SampleWholeVideo', clip_len=length, frame_interval=interval),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
        *stream['transforms'],
        dict(type='FormatShape', input_format='NCTHW'),
    ]
    blocks = -(-count // interval)
    frames = min(count_frames(video), blocks * length * interval)
    clips = Compose(steps)(dict(filename=video, total_frames=frames))['imgs']
    return torch.from_numpy(clips)[:count]


def clip_size(pipeline: Sequence[Mapping]) -> tuple[int, int, int]:
    """T, H, W that a test pipeline makes, if a CenterCrop says so.

    Raises:
        ValueError: If it does not.
    """
    stream = stream_settings(pipeline)
    crops = [t['crop_size'] for t in stream['transforms'] if t['type'] == 'CenterCrop']
    if not crops:
        raise ValueError('no CenterCrop in the test pipeline: give --size T H W')
    width, height = (crops[-1],) * 2 if isinstance(crops[-1], int) else crops[-1]
    return stream['clip_len'], height, width


def describe(pipeline: Sequence[Mapping], classes: Sequence[str]) -> dict[str, str]:
    """What whoever runs the file has to know, as JSON by name."""
    stream = stream_settings(pipeline)
    facts = dict(
        classes=list(classes),
        frame_interval=stream['frame_interval'],
        transforms=[dict(transform) for transform in stream['transforms']],
    )
    return {name: json.dumps(fact) for name, fact in facts.items()}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Write a detector to a file that runs without this package.'
    )
    add = parser.add_argument
    add('config', help='config file')
    add('checkpoint', help='checkpoint that fits the config')
    add('--out', required=True, type=Path, help='file to write')
    add('--format', choices=list(SUFFIXES), help='onnx, or what the suffix of --out is')
    add('--clips', type=int, default=1, help='clips in a batch (1)')
    add('--dynamic-batch', action='store_true', help='any number of clips in a batch')
    add('--size', type=int, nargs=3, metavar=('T', 'H', 'W'), help="the config's")
    add('--net', choices=['student', 'teacher'], default='student')
    add('--video', help='compare on clips of this video, too')
    add('--tolerance', type=float, default=1e-3, help='difference allowed (0.001)')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, key=value, as in tools/test.py',
    )
    args = parser.parse_args(argv)
    if args.clips < 1:
        parser.error(f'--clips must be at least 1, got {args.clips}')
    known = {suffix: form for form, suffix in SUFFIXES.items()}
    args.format = args.format or known.get(args.out.suffix, 'onnx')
    return args


def export(args: argparse.Namespace) -> None:
    """Build, write, read again, compare.

    Raises:
        ValueError: If something does not fit, or the file differs from PyTorch.
    """
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    model, classes = build_detector(cfg, args.checkpoint)
    pipeline = cfg.test_dataloader.dataset.pipeline
    network = ExportedDetector(model, args.net).eval()
    if hasattr(model, 'eval_net'):
        model.eval_net = args.net
    shape = (3, *(args.size or clip_size(pipeline)))
    # a batch of one would be taken for a constant
    batch = max(args.clips, 1 + args.dynamic_batch)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = describe(pipeline, classes)
    example = torch.rand(batch, *shape)
    write(network, example, args.out, args.format, args.dynamic_batch, about)
    print(f'{args.out}: {args.format}, {args.out.stat().st_size / 1e6:.1f} MB')
    # a file for any number is tried with another than it was made with
    batch += args.dynamic_batch
    noise = torch.randint(256, (2 * batch, *shape), generator=torch.manual_seed(0))
    trials = {'random': noise.byte()}
    if args.video:
        trials[args.video] = read_clips(args.video, pipeline, 2 * batch)
    loaded = load(args.out, args.format)
    network.double()
    for name, clips in trials.items():
        if clips.shape[1:] != shape:
            raise ValueError(
                f'clips of {name} are {tuple(clips.shape[1:])}, those of the file '
                f'{shape}: leave --video out, or give --size as the pipeline has it'
            )
        found, own = check(model, network, loaded, clips, batch)
        print(
            f'{name}: {len(clips)} clips, file and PyTorch {found.mask:.2g} apart in '
            f'mask logits, {found.scores:.2g} in scores (PyTorch from double precision '
            f'{own.mask:.2g}, {own.scores:.2g}); another class in {found.others}'
        )
        allowed = [max(args.tolerance, 10 * value) for value in own[:2]]
        # not a number is never within what is allowed
        within = [value <= most for value, most in zip(found, allowed)]
        if not all(within) or found.others == len(clips):
            raise ValueError(
                f'{args.out} differs from PyTorch by more than {args.tolerance:g} and '
                'than ten times what rounding does: do not use it, or say with '
                '--tolerance what you allow'
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if args.format == 'onnx' and missing:
        raise SystemExit(
            f"--format onnx needs {', '.join(missing)}: pip install -e '.[export]'"
        )
    try:
        export(args)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(str(error)) from error


if __name__ == '__main__':
    main()
