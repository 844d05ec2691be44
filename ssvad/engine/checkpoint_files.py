"""Which checkpoint of a folder training can go on from."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch

from ssvad.files import check_sums


class CheckpointError(ValueError):
    """A run cannot go on from a checkpoint; the message names it and says why."""


class Position(NamedTuple):
    """How far a run has come; later ones compare as greater."""

    iter: int
    """Iterations done."""
    epoch: int
    """Epochs done."""


def read_position(path: str | Path) -> Position:
    """Check that a checkpoint is whole and return how far its run had come.

    Raises:
        CheckpointError: if the file is missing, cut off, altered (by its checksums) or
            not written by a runner.
    """
    path = Path(path)
    try:
        check_sums(path)
        checkpoint = torch.load(path, map_location='cpu')
        checkpoint['state_dict'], checkpoint['message_hub']
        meta = checkpoint['meta']
        return Position(int(meta['iter']), int(meta['epoch']))
    except FileNotFoundError:
        why = 'it does not exist'
    except OSError as error:
        why = error.strerror or str(error)
    except zipfile.BadZipFile as error:
        why = f'it is cut off or damaged ({error}; {path.stat().st_size} bytes)'
    # a damaged file may raise nearly anything
    except Exception as error:
        if path.stat().st_size == 0:
            why = 'it is empty'
        else:
            first = f'{type(error).__name__}: {error}'.splitlines()[0]
            why = f'it is damaged or no checkpoint of a run ({first})'
    raise CheckpointError(f'{path}: cannot be resumed: {why}')


def find_resumable(
    folder: str | Path, last_checkpoint: str | Path
) -> tuple[Path | None, list[str]]:
    """Find the checkpoint to go on from.

    It is the one that ``last_checkpoint`` names; if it is torn or gone, the one that
    has come furthest of the whole ones in the folder named as ``CheckpointHook`` names
    them, ``epoch_3.pth`` (best checkpoints, which hold no optimiser, left out).

    Args:
        folder: where the checkpoints are; a file of the right name in it goes before
            the path that ``last_checkpoint`` names, since folders are moved and copied.
        last_checkpoint: file that holds the path of the newest; may be missing or
            empty.

    Returns:
        The path, None if there has never been one; and why others were passed over.

    Raises:
        CheckpointError: if there are checkpoints, or one was named, but none is whole.
    """
    folder, last_checkpoint = Path(folder), Path(last_checkpoint)
    named = last_checkpoint.read_text().strip() if last_checkpoint.is_file() else ''
    refused = []
    if named:
        here = folder / Path(named).name
        newest = here if here.exists() else Path(named)
        # sharded checkpoints are folders; nothing can be told about them
        if newest.is_dir():
            return newest, []
        try:
            read_position(newest)
            return newest, []
        except CheckpointError as error:
            refused.append(str(error))
    else:
        newest = None

    found = {}
    for path in sorted(folder.glob('*.pth')):
        of_run = re.search(r'_\d+\.pth$', path.name) and path.is_file()
        if path == newest or path.name.startswith('best_') or not of_run:
            continue
        try:
            found[read_position(path)] = path
        except CheckpointError as error:
            refused.append(str(error))
    if found:
        if not named:
            refused.append(f'{last_checkpoint} is missing or empty')
        return found[max(found)], refused
    if refused:
        raise CheckpointError(
            '; '.join([*refused, f'no other checkpoint in {folder} to go on from'])
        )
    return None, []
