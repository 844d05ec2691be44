"""Whether the weights of a checkpoint are those of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor


def check_state(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Refuse weights of another model and say which they may be.

    Args:
        expected: state dict of the model.
        state: weights to be loaded.

    Raises:
        ValueError: if a name is missing or unexpected, or a shape is another one.
    """
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    wrong = [
        f'{key} is {tuple(state[key].shape)}, expected {tuple(value.shape)}'
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    if not missing and not unexpected and not wrong:
        return
    found = [
        f'{len(names)} {what} ({some_names(names)})'
        for names, what in (
            (missing, 'weights missing'),
            (unexpected, 'unexpected'),
            (wrong, 'of another shape'),
        )
        if names
    ]
    raise ValueError('; '.join([*found, _advice(expected, state)]))


def _advice(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    fitting = [p for p in _prefixes(state, expected) if _covers(state, expected, p)]
    if fitting:
        options = ' or '.join(f'prefix={prefix!r}' for prefix in fitting)
        return (
            f'they are in the file behind a prefix: set {options}, or take the config '
            'that it was trained with'
        )
    if any(_covers(expected, state, p) for p in _prefixes(expected, state)):
        return (
            'these are the weights of the detector alone: take a config whose model is '
            'not wrapped (configs/*_sup.py)'
        )
    return 'take the config that the weights were trained with'


def _prefixes(longer: Mapping[str, Tensor], shorter: Mapping[str, Tensor]) -> list[str]:
    """What stands before the first name of ``shorter`` in names of ``longer``."""
    first = next(iter(shorter))
    return [k[: -len(first)] for k in longer if k.endswith('.' + first)]


def _covers(
    longer: Mapping[str, Tensor], shorter: Mapping[str, Tensor], prefix: str
) -> bool:
    return all(
        prefix + key in longer and longer[prefix + key].shape == value.shape
        for key, value in shorter.items()
    )


def some_names(names: Sequence[str] | Mapping, most: int = 3) -> str:
    """The first names, with dots if there are more."""
    names = list(names)
    return ', '.join([*names[:most], *(['...'] if names[most:] else [])])
