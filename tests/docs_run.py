"""Command blocks of the documentation, run in the folder of a reader."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest
from mmengine.config import Config

from tests.docs_pages import words
from tests.helpers import ROOT

# an epoch of one step of two clips, which this process loads itself
SHORT = [
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
]
CHANNELS = '(4,12,52)'  # of I3D with a sixteenth of its width
HEAD = [f'in_channels={CHANNELS}', 'num_capsules=4', 'kernel_size=3']
HEAD += ['decoder_channels=4']
RUNS = ('train.py', 'test.py', 'dist_train.sh')


def small(config: str) -> list[str]:
    """Settings for ``--cfg-options`` that make a run of a config a matter of seconds.

    Epochs, steps and batches are fewer; the checkpoint is named as that of the last
    epoch. Of a full-size network, I3D gets a sixteenth of its width, the head four
    narrow capsules, the error recovery a quarter of its width; it is trained on crops
    of 32 x 32. Another backbone than I3D keeps its size, and is tested on such crops,
    too. All else is the config's: the method and the data.
    """
    cfg = Config.fromfile(config)
    last = f'epoch_{cfg.train_cfg.max_epochs}.pth'
    options = [*SHORT, f'default_hooks.checkpoint.filename_tmpl={last}']
    if cfg.train_dataloader.sampler.type == 'MixedSampler':
        options.append('train_dataloader.sampler.num_rounds=1')
    place, detector = 'model', cfg.model
    if 'detector' in detector:
        place, detector = 'model.detector', detector.detector
    if 'in_channels' in detector.head:  # the toy world's, small already
        return options
    options += [f'{place}.head.{setting}' for setting in HEAD]
    loaders = ['train_dataloader']
    if detector.backbone.type == 'I3D':
        options.append(f'{place}.backbone.width=0.0625')
    else:
        options.append(f'{place}.backbone.channels={CHANNELS}')
        loaders += ['val_dataloader', 'test_dataloader']
    for name in loaders:
        options += small_crops(f'{name}.dataset', cfg[name].dataset)
    if 'method' in cfg.model and cfg.model.method.type == 'StableMeanTeacher':
        options.append('model.method.recovery.type=ErrorRecovery')
        options.append('model.method.recovery.width=4')
    return options


def small_crops(place: str, dataset: dict) -> Iterator[str]:
    """Settings that crop all clips of a data set, or of its parts, to 32 x 32."""
    sizes = dict(RandomCrop='size', CenterCrop='crop_size')
    for index, transform in enumerate(dataset.get('pipeline', ())):
        if transform.type in sizes:
            yield f'{place}.pipeline.{index}.{sizes[transform.type]}=32'
    for index, part in enumerate(dataset.get('datasets', ())):
        yield from small_crops(f'{place}.datasets.{index}', part)


def shorter(script: str, *arguments: str) -> list[str]:
    """What a command is given in addition: trainings and evaluations are small."""
    return ['--cfg-options', *small(arguments[0])] if script in RUNS else []


def run_block(block: str, tool: Callable, run: Callable, more: Callable = shorter):
    """Run a block as a shell does, its Python tools in this process.

    Args:
        block: The text of the page.
        tool: The fixture of this name.
        run: The fixture of this name.
        more: From a command (script, arguments) to what it is given in addition.
            Scripts that start a process for each GPU start two.
    """
    lines = re.sub(r'\\\n\s*', ' ', block).splitlines()
    for ours, group in itertools.groupby(lines, is_ours):
        if not ours:
            subprocess.run(['bash', '-euc', '\n'.join(group)], check=True)
            continue
        for line in group:
            with pytest.MonkeyPatch.context() as patch:
                for setting in re.match(r'(?:\w+=\S+ )*', line)[0].split():
                    patch.setenv(*setting.split('=', 1))
                start, *given = words(line)
                if start == 'python':
                    script = given.pop(0).removeprefix('tools/')
                    tool(script, *given, *more(script, *given))
                else:
                    script, given[1] = start.removeprefix('tools/'), '2'
                    run(ROOT / start, *given, *more(script, *given))


def is_ours(line: str) -> bool:
    """Whether a line of a block runs a tool of this repository."""
    start = (words(line) or [''])[0]
    return start == 'python' or start.startswith('tools/')
