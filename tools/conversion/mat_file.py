"""Reading a MATLAB file of somebody else."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from .mat_size import check_size
from .values import short


def load_variable(path: Path, name: str, limit: int) -> Any:
    """Read one variable, in a process of its own.

    SciPy (1.17 too) reads memory that it should not when a file contradicts itself;
    that may end the process, so it must not be this one.

    Args:
        path: The file.
        name: Name of the variable.
        limit: Most bytes the file may hold, packed and unpacked.

    Returns:
        The variable, None if there is none of this name.

    Raises:
        ValueError: no MATLAB 5 file, larger than ``limit``, or damaged.
    """
    try:
        import scipy.io  # noqa: F401  (before the fork, so that it is done once)
    except ImportError as error:
        raise ImportError(
            'reading .mat files needs SciPy; install it with `pip install scipy`'
        ) from error
    check_size(path, limit)
    # forked it costs milliseconds; elsewhere the process starts anew
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context('fork' if 'fork' in methods else None)
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_load, path, name).result()
    except BrokenProcessPool as error:
        raise ValueError(f'{path}: damaged: SciPy breaks down over it') from error
    # A damaged file may raise nearly anything.
    except Exception as error:
        raise ValueError(
            f'{path}: cannot be read as a MATLAB file: {short(str(error))}'
        ) from error


def _load(path: Path, name: str) -> Any:
    from scipy.io import loadmat

    with path.open('rb') as file:
        return loadmat(file, variable_names=[name]).get(name)
