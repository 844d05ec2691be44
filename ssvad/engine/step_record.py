"""What a training step needs to be computed again, in a file that runs no code."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from ssvad.geometry import ViewGeometry

FORMAT = 'ssvad-step-1'
PROGRESS = ('epoch', 'max_epochs', 'iter', 'max_iters')


def generator_states() -> dict:
    """States of all generators of this process."""
    numpy_state = np.random.get_state(legacy=False)
    numpy_state['state']['key'] = numpy_state['state']['key'].tolist()
    states = dict(python=random.getstate(), numpy=numpy_state)
    states['torch'] = torch.get_rng_state()
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_generator_states(states: Mapping) -> None:
    """Go back to what :func:`generator_states` returned."""
    version, values, gauss = states['python']
    random.setstate((version, tuple(values), gauss))
    np.random.set_state(states['numpy'])
    torch.set_rng_state(states['torch'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'])


def to_plain(value: Any) -> Any:
    """Write batches with tensors, numbers, text, lists and dicts only.

    Data samples, arrays and view geometries become dicts of one key that
    :func:`from_plain` knows; anything else becomes its text.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, ActionDataSample):
        fields, meta = dict(value.items()), dict(value.metainfo_items())
        return {'__sample__': [to_plain(fields), to_plain(meta)]}
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return {'__array__': torch.from_numpy(value.copy())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, ViewGeometry):
        return {'__view__': [list(map(float, value.crop)), bool(value.hflip)]}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(to_plain, value))
            if type(value) in (list, tuple)
            else [to_plain(item) for item in value]
        )
    return value if isinstance(value, (bool, int, float, type(None))) else str(value)


def from_plain(value: Any) -> Any:
    """Inverse of :func:`to_plain`."""
    if isinstance(value, dict):
        if '__sample__' in value:
            fields, meta = map(from_plain, value['__sample__'])
            sample = ActionDataSample(metainfo=meta)
            for name, field in fields.items():
                sample.set_field(field, name)
            return sample
        if '__array__' in value:
            return value['__array__'].numpy()
        if '__view__' in value:
            crop, hflip = value['__view__']
            return ViewGeometry(tuple(crop), hflip)
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(from_plain, value))
    return value


def loss_terms(losses: Mapping[str, Any]) -> dict[str, Tensor]:
    """Means of the terms that are summed, as ``BaseModel.parse_losses`` takes them."""
    terms = {}
    for name, value in losses.items():
        if 'loss' in name:
            parts = value if isinstance(value, (list, tuple)) else [value]
            terms[name] = sum(part.mean() for part in parts).detach()
    return terms


def non_finite_gradients(model: nn.Module) -> list[str]:
    """Names of parameters with a gradient that is not finite somewhere."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not parameter.grad.isfinite().all()
    ]


def autocast_type(optim_wrapper: OptimWrapper) -> str | None:
    """Name of the type of mixed precision, None without."""
    if not isinstance(optim_wrapper, AmpOptimWrapper):
        return None
    return str(optim_wrapper.cast_dtype or torch.float16).replace('torch.', '')


def save_record(path: str | Path, record: Mapping) -> None:
    """Write a record; the keys are those :func:`load_record` returns."""
    torch.save(dict(format=FORMAT, **to_plain(record)), path)


def load_record(path: str | Path) -> dict:
    """Read the record of a step; runs no code, whatever the file holds.

    Returns:
        ``weights`` before the step; ``passes``, one for each iteration that adds to the
        gradient, with ``batch``, ``generators`` and ``losses`` by name; ``autocast``,
        see :func:`autocast_type`; ``progress`` of training; ``parameters`` whose
        gradient was not finite although all losses were; ``rank``.

    Raises:
        ValueError: If it is no such file.
    """
    try:
        record = torch.load(path, map_location='cpu', weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file may raise nearly anything
        why = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise ValueError(f'{path}: not the record of a training step ({why})') from None
    if not isinstance(record, dict) or record.get('format') != FORMAT:
        raise ValueError(f'{path}: not the record of a training step ({FORMAT})')
    return record


def recompute(model: BaseModel, record: Mapping) -> tuple[list[dict], list[str]]:
    """Compute the losses and gradients of a recorded step again.

    Args:
        model: Built of the same config, on the device to compute on.
        record: See :func:`load_record`.

    Returns:
        Loss terms of each pass by name, and the parameters whose gradient, summed over
        the passes, is not finite. The gradients are left in the model. Of a
        distributed run they are those of one process, before they were averaged.
    """
    model.load_state_dict(record['weights'])
    model.train().zero_grad()
    MessageHub.get_current_instance().update_info_dict(record['progress'])
    mixed = nullcontext()
    if record['autocast'] is not None:
        device = next(model.parameters()).device.type
        mixed = torch.autocast(device, getattr(torch, record['autocast']))
    values = []
    for part in record['passes']:
        set_generator_states(part['generators'])
        with mixed:
            data = model.data_preprocessor(from_plain(part['batch']), True)
            losses = model(**data, mode='loss')
        total, _ = model.parse_losses(losses)
        (total / len(record['passes'])).backward()
        values.append({k: float(v) for k, v in loss_terms(losses).items()})
    return values, non_finite_gradients(model)
