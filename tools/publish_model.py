"""Make a checkpoint fit to be given to others.

    python tools/publish_model.py work_dirs/toy_semi_var/epoch_16.pth toy_semi_var.pth

writes ``toy_semi_var_<date>-<sha256>.pth`` and a config of the same name beside it. The
name holds the first eight digits of the file's SHA-256, as in the model zoos of
OpenMMLab, so that downloads can be checked. The file has

* the weights of one network, as a plain detector without teacher and method: what
  inference runs. It is the one that the config evaluates (``model.eval_net``, else the
  student), or ``--net teacher``;
* that config as text, class names, epoch, and versions; no optimiser, no history.

Nothing but tensors, numbers and text is in it, so ``torch.load(weights_only=True)``
opens it as it is. What trained it cannot be resumed from it. Folders of your machine
that the config names are printed: look whether others may see them.

    python tools/test.py toy_semi_var_<...>.py toy_semi_var_<...>.pth
    python tools/infer.py my_video.mp4 --weights toy_semi_var_<...>.pth

The config of the training is taken from beside the checkpoint, or from --config.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import mmengine
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

import ssvad
from cli import Parser
from ssvad.apis.model_loading import build_detector, read_config
from ssvad.files import write_bytes, write_text

KEPT = (
    'default_scope',
    'custom_imports',
    'env_cfg',
    'test_dataloader',
    'test_evaluator',
)


def choose_network(model: nn.Module, net: str | None) -> tuple[nn.Module, str]:
    """The network of a model that is to be published, and what it is called.

    Args:
        model: a detector, alone or wrapped by ``SemiDetector``.
        net: ``'student'``, ``'teacher'`` or None for the one that infers.

    Raises:
        ValueError: if there is no such network, or it has never been trained.
    """
    if not hasattr(model, 'network'):
        if net is not None:
            raise ValueError(f'--net {net}: the config has no SemiDetector')
        return model, 'detector'
    if net is not None:
        model.eval_net = net
    if model.eval_net == 'teacher' and model.teacher.updates == 0:
        raise ValueError('the teacher was never updated: its weights are random')
    return model.network, model.eval_net


def inference_config(cfg: Config) -> Config:
    """What testing and inference need of a training's config, for a plain detector."""
    cfg = cfg.to_dict()
    model = cfg['model']
    if 'detector' in model:
        preprocessor = model.get('data_preprocessor')
        model = {**model['detector'], 'data_preprocessor': preprocessor}
    kept = {key: cfg[key] for key in KEPT if key in cfg}
    # the loop of a training may evaluate two networks, and here is one
    return Config(dict(kept, model=_without_init(model), test_cfg={}))


def _without_init(value: Any) -> Any:
    """Leave out where weights came from before training."""
    if isinstance(value, Mapping):
        return {k: _without_init(v) for k, v in value.items() if k != 'init_cfg'}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_init(v) for v in value)
    return value


def machine_paths(value: Any, key: str = '') -> Iterator[tuple[str, str]]:
    """Keys and values of a config that are absolute paths."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from machine_paths(item, f'{key}.{name}' if key else name)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from machine_paths(item, f'{key}.{index}')
    elif isinstance(value, str) and PurePath(value).is_absolute():
        yield key, value


def publish(
    in_file: str, out_file: Path, config: str | None, net: str | None
) -> tuple[Path, str, Config]:
    """Write the checkpoint and its config.

    Args:
        in_file: checkpoint of a training.
        out_file: what the file is to be called, without date and digest.
        config: config of the training; None takes the one beside the checkpoint.
        net: see :func:`choose_network`.

    Returns:
        Path of the new checkpoint, name of the network in it, its config.

    Raises:
        FileNotFoundError: if there is no such checkpoint or config.
        ValueError: if they do not fit each other, or there is no such network.
    """
    cfg = read_config(config, in_file)
    model, classes = build_detector(cfg, in_file)
    network, net = choose_network(model, net)
    trained = CheckpointLoader.load_checkpoint(in_file, map_location='cpu')
    meta = trained.get('meta') or {}
    small = inference_config(cfg)
    content = dict(
        meta=dict(
            cfg=small.pretty_text,
            dataset_meta=dict(classes=tuple(classes)),
            net=net,
            **{key: int(meta[key]) for key in ('epoch', 'iter') if key in meta},
            ssvad_version=ssvad.__version__,
            mmengine_version=mmengine.__version__,
        ),
        state_dict=network.state_dict(),
    )
    # written to memory: the name of a file becomes part of what torch writes into it
    buffer = io.BytesIO()
    torch.save(content, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    date = datetime.date.today().strftime('%Y%m%d')
    stem = out_file.name[:-4] if out_file.suffix == '.pth' else out_file.name
    path = out_file.with_name(f'{stem}_{date}-{digest}.pth')
    write_bytes(path, buffer.getvalue())
    write_text(path.with_suffix('.py'), small.pretty_text)
    return path, net, small


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description='Make a checkpoint fit to be given to others.')
    parser.add_argument('in_file', help='checkpoint of a training')
    parser.add_argument('out_file', type=Path, help='name to begin with, e.g. mine.pth')
    parser.add_argument('--config', help='of the training (the one beside in_file)')
    parser.add_argument(
        '--net',
        choices=['student', 'teacher'],
        help='network of a semi-supervised model (the one that its config evaluates)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        path, net, cfg = publish(args.in_file, args.out_file, args.config, args.net)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f'publish_model.py: {error}') from error
    size = path.stat().st_size / 1e6
    before = Path(args.in_file).stat().st_size / 1e6
    print(f'{path}: the {net}, {size:.1f} of {before:.1f} MB')
    print(f'{path.with_suffix(".py")}: config for it')
    for key, value in machine_paths(cfg.to_dict()):
        print(f'names a folder of this machine: {key} = {value}')


if __name__ == '__main__':
    main()
