"""Building a detector from a config and filling it with the weights of a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ssvad.checkpoint_fit import check_state, some_names

ConfigLike = Union[str, os.PathLike, Config, Mapping]


def read_config(model: ConfigLike | None, weights: str | None = None) -> Config:
    """Read the config of a detector.

    Args:
        model: path of a config file, or a config with the key ``model``; None takes
            the config that training has left beside the checkpoint.
        weights: path of the checkpoint.

    Raises:
        FileNotFoundError: if there is no such file, or not one beside the checkpoint.
        ValueError: if the config has no ``model``.
    """
    if isinstance(model, Mapping) and not isinstance(model, Config):
        model = Config(dict(model))
    if not isinstance(model, Config):
        path = Path(_config_beside(weights) if model is None else model)
        if not path.is_file():
            raise FileNotFoundError(
                f'config {str(path)!r} not found; give the path of a config file, e.g. '
                'configs/ucf24_semi_var.py'
            )
        model = Config.fromfile(path)
    if 'model' not in model:
        raise ValueError(
            f'expected a config with the key model, got {sorted(model.keys())}; a '
            'detector alone is dict(model=dict(type=...))'
        )
    # transforms and models of MMAction2 are found by their bare names
    init_default_scope(model.get('default_scope') or 'mmaction')
    return model


def _config_beside(weights: str | None) -> str:
    if weights is None:
        raise ValueError('give a config, a built model, or weights to look beside')
    found = sorted(str(path) for path in Path(weights).parent.glob('*.py'))
    if len(found) != 1:
        raise FileNotFoundError(
            f'expected the one config file of a training beside {weights}, found '
            f'{len(found)} .py files there; say which config it was trained with'
        )
    return found[0]


def build_detector(
    cfg: Config, weights: str | None = None, prefix: str = ''
) -> tuple[nn.Module, list[str]]:
    """Build the model of a config and load weights that fit name by name.

    Args:
        cfg: see :func:`read_config`.
        weights: path or address of a checkpoint; None leaves the random weights.
        prefix: of the names to take from the checkpoint, e.g. ``'detector.'``; it is
            cut off and other names are left out.

    Returns:
        The model in eval mode, and the class names that the checkpoint tells, [] if
        none.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if it cannot be read, or does not fit by names and shapes; says what
            would.
    """
    model = MODELS.build(cfg.model)
    if weights is None:
        return model.eval(), []
    if '://' not in weights and not Path(weights).is_file():
        raise FileNotFoundError(f'checkpoint {weights!r} not found')
    try:
        checkpoint = CheckpointLoader.load_checkpoint(weights, map_location='cpu')
    # a damaged file may raise nearly anything
    except Exception as error:
        why = f'{type(error).__name__}: {error}'.splitlines()[0]
        raise ValueError(
            f'{weights}: cannot be read as a checkpoint ({why})'
        ) from error
    state, meta = _find_state(checkpoint, weights)
    if prefix:
        kept = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        if not kept:
            raise ValueError(
                f'{weights}: no name begins with {prefix!r}; the first names are '
                f'{some_names(state)}'
            )
        state = kept
    try:
        check_state(model.state_dict(), state)
    except ValueError as error:
        raise ValueError(
            f'{weights}: does not fit the {type(model).__name__} of the config: {error}'
        ) from None
    model.load_state_dict(state)
    return model.eval(), list((meta.get('dataset_meta') or {}).get('classes') or [])


def _find_state(checkpoint: Any, weights: str) -> tuple[dict[str, Tensor], Mapping]:
    state = checkpoint
    if isinstance(checkpoint, Mapping):
        state = checkpoint.get('state_dict', checkpoint)
    tensors = isinstance(state, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor)
        for key, value in state.items()
    )
    if not tensors or not state:
        raise ValueError(
            f'{weights}: expected a checkpoint with named weights in state_dict'
        )
    # as DataParallel leaves them
    if all(key.startswith('module.') for key in state):
        state = {key[len('module.') :]: value for key, value in state.items()}
    return dict(state), checkpoint.get('meta') or {}
