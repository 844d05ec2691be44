"""What is broken upstream, and nothing else: the only file that knows.

Every entry names the upstream report, the condition under which it acts and
when it can be removed. :func:`apply` runs the entries that have to act before
``mmaction.models`` is imported; :func:`prepare_distributed` is called by the
tools. Needs no entry, but shapes the package: mmengine 0.10 resolves a
``_base_`` of another package through ``pkg_resources``, which setuptools 82
removed, so no config of ours inherits from another package; and mmaction2 1.2
imports ``importlib_metadata`` without declaring it, so ``setup.py`` does.
"""

from __future__ import annotations

import datetime
import functools
import importlib
import importlib.util
import os
import pickle
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

# module, name on the package index, lowest version, first version too new
REQUIRED = (
    # weights-only loading of older ones can be made to run code (CVE-2025-32434)
    ('torch', 'torch', '2.6', '3'),
    ('mmengine', 'mmengine', '0.10.3', '1'),
    ('mmcv', 'mmcv-lite', '2.0.1', '2.2'),
    ('mmaction', 'mmaction2', '1.2', '2'),
)
_DRN = 'mmaction.models.localizers.drn.drn'


def apply() -> None:
    """Run every entry that has to act before ``mmaction.models`` is imported."""
    check_versions()
    supply_drn()
    allow_checkpoint_types()
    load_weights_only()
    silence_lite_advice()


def check_versions() -> None:
    """Refuse a missing or unfit package in one sentence.

    Upstream: mmaction2 declares neither mmcv nor mmengine (they are an extra
    for its own installer) and fails with an ``AssertionError`` or a missing
    module instead. Remove when mmaction2 declares both.

    Raises:
        ImportError: says what was found and the command that mends it. A full
            mmcv is never told to make place for mmcv-lite.
    """
    for module, name, lowest, too_new in REQUIRED:
        found = _find_version(module)
        if module == 'mmcv' and found is not None and _is_full_mmcv():
            name = 'mmcv'
        message = version_problem(name, found, lowest, too_new)
        if message:
            raise ImportError(message)


def version_problem(
    name: str, found: str | None, lowest: str, too_new: str
) -> str | None:
    """Say in one sentence why a version does not fit.

    Args:
        name: Name on the package index.
        found: Installed version, ``None`` if the package is absent.
        lowest: First version that fits.
        too_new: First version that does not fit any more.

    Returns:
        The sentence, ``None`` if the version fits.
    """
    if found and _release(lowest) <= _release(found) < _release(too_new):
        return None
    wanted = f'{name}>={lowest},<{too_new}'
    state = f'found {name} {found}' if found else 'it is not installed'
    hint = ', or build the full mmcv of that range' if name == 'mmcv-lite' else ''
    return f"ssvad needs {wanted} but {state}: run `pip install '{wanted}'`{hint}."


def supply_drn() -> None:
    """Let ``mmaction.models`` be imported without its DRN localizer.

    Upstream: mmaction2 issue 2714. The 1.2.0 wheel lacks the folder
    ``models/localizers/drn`` that its own ``__init__`` imports; a source
    checkout has it, but it imports torchvision, which is not declared.
    Condition: file or torchvision absent. Remove when a release has both.
    """
    if _find_drn() or _DRN in sys.modules:
        return

    class DRN:
        """Stands for the localizer that this installation does not have."""

        def __init__(self, *args, **kwargs) -> None:
            raise ImportError(
                'DRN is not part of this mmaction2 installation: it needs a source '
                'checkout of mmaction2 and torchvision (mmaction2 issue 2714)'
            )

    stub = types.ModuleType(_DRN, 'Stub for a module missing upstream.')
    stub.DRN = DRN
    sys.modules[_DRN] = stub


def allow_checkpoint_types() -> None:
    """Let torch load what mmengine puts into a checkpoint, and no more.

    Upstream: mmengine issue 1655. ``torch.load`` refuses everything but weights,
    while a checkpoint of a Runner also holds the log history (``HistoryBuffer``,
    NumPy arrays) and NumPy scalars such as the best score. Only these are allowed;
    whatever else a checkpoint holds is still refused, so that opening one never
    runs code. Remove when mmengine loads its own checkpoints with weights-only
    loading on.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    dtypes = (np.dtype(t) for t in (float, int, np.float32, np.int64))
    allowed = {HistoryBuffer, np.ndarray, np.dtype, *map(type, dtypes)}
    # pickle writes a method as `getattr(class, name)`
    allowed.add((_history_statistic, 'builtins.getattr'))
    reconstruct = np.array(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    # NumPy 2 renamed the module; checkpoints travel between both
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed.add((reconstruct, f'{module}._reconstruct'))
        allowed.add((scalar, f'{module}.scalar'))
    torch.serialization.add_safe_globals(list(allowed))


def load_weights_only() -> None:
    """Let no checkpoint run code, whatever its address and whatever it is for.

    Upstream (no report known): mmengine 0.10 fetches a checkpoint from an address by
    ``torch.hub``, which unpickles everything unless told otherwise, and resuming runs
    the text ``meta['config']`` of a checkpoint as a Python config. That entry is of
    mmcv 1 and serves to compare numbers of GPUs only, so it is dropped. Nor does torch
    compare the checksums of an archive. Remove when mmengine and torch do.
    """
    from mmengine.runner import CheckpointLoader, checkpoint

    from ssvad.files import check_sums

    if isinstance(checkpoint.load_url, functools.partial):
        return
    checkpoint.load_url = functools.partial(checkpoint.load_url, weights_only=True)
    load = CheckpointLoader.load_checkpoint

    def load_checkpoint(filename, map_location=None, logger='current'):
        path = Path(filename).expanduser()
        if path.is_file():
            check_sums(path)
        try:
            loaded = load(filename, map_location, logger)
        except pickle.UnpicklingError as error:
            named = re.search(r'GLOBAL (\S+)', str(error))
            if not named:
                raise
            raise pickle.UnpicklingError(
                f'it asks for {named[1]}, which may run code; it was not opened'
            ) from error
        meta = loaded.get('meta') if isinstance(loaded, dict) else None
        if isinstance(meta, dict):
            meta.pop('config', None)
        return loaded

    CheckpointLoader.load_checkpoint = staticmethod(load_checkpoint)


def silence_lite_advice() -> None:
    """Drop mmcv-lite's advice to install the full mmcv.

    Upstream: mmcv issue 1975. ``mmcv.cnn`` warns on import that an operator
    needs the full build; nothing here uses it, and the advice would send a new
    user into a long compilation. Remove when mmcv-lite warns on use.
    """
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformable')


def prepare_distributed(cfg) -> None:
    """Start the processes of a distributed run on a machine without accelerator.

    Upstream: mmengine 0.10 calls ``torch.cuda.set_device`` and hands
    ``device_ids`` to the model wrapper whatever the machine (no report known).
    Condition: a launcher is asked for and mmengine sees nothing but a CPU.
    Remove when ``mmengine.dist.init_dist`` starts gloo there by itself.

    Joins the process group (gloo) before the Runner would, and sets
    ``model_wrapper_cfg`` to what the Runner builds by default, without device.

    Args:
        cfg: Config of the run, changed in place.

    Raises:
        ValueError: a launcher other than ``pytorch`` and ``slurm`` on such a machine,
            or the latter outside of a Slurm job.
    """
    import torch
    from mmengine.device import get_device

    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or get_device() != 'cpu':
        return
    if launcher not in ('pytorch', 'slurm'):
        raise ValueError(
            f"launcher '{launcher}' needs an accelerator and this machine has none: "
            "start the processes with torchrun and launcher 'pytorch'"
        )
    if launcher == 'slurm':
        _name_slurm_ranks()
    if not torch.distributed.is_initialized():
        seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
        timeout = datetime.timedelta(seconds=seconds)
        torch.distributed.init_process_group('gloo', timeout=timeout)
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)


def _name_slurm_ranks() -> None:
    """Tell torch the place of this process in a Slurm job, as mmengine would."""
    if 'SLURM_PROCID' not in os.environ:
        raise ValueError(
            "launcher 'slurm', but this process is in no Slurm job (SLURM_PROCID is "
            'not set): start it with srun, as tools/slurm_train.sh does'
        )
    for name, theirs in dict(RANK='PROCID', LOCAL_RANK='LOCALID').items():
        os.environ[name] = os.environ[f'SLURM_{theirs}']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    os.environ.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in os.environ:
        show = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
        hosts = subprocess.run(show, capture_output=True, text=True, check=True)
        os.environ['MASTER_ADDR'] = hosts.stdout.split()[0]


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers a version begins with: '2.2.0rc1' gives (2, 2, 0)."""
    return tuple(int(n) for n in re.match(r'\d+(\.\d+)*', version)[0].split('.'))


def _find_version(module: str) -> str | None:
    try:
        return importlib.import_module(module).__version__
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None


def _is_full_mmcv() -> bool:
    import mmcv

    # both builds hold `mmcv.ops`, only the full one its compiled operators
    return any(Path(mmcv.__file__).parent.glob('_ext*'))


def _find_drn() -> bool:
    import mmaction

    file = Path(mmaction.__file__).parent / 'models/localizers/drn/drn.py'
    return file.is_file() and importlib.util.find_spec('torchvision') is not None


def _history_statistic(owner, name):
    """Stand in for ``getattr`` while a checkpoint is read."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise pickle.UnpicklingError(
        f'a checkpoint may only name the statistics of HistoryBuffer, got {name!r} '
        f'of {owner!r}: this file was not written by mmengine'
    )
