"""Every entry of `ssvad.compat` is shown to be needed and to be enough."""

import os
import re
import subprocess
import sys

import pytest
import torch
from mmengine.config import ConfigDict

from ssvad import compat
from tests.helpers import ROOT

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='a machine with a GPU')


def run_python(code, **env):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        env={**os.environ, 'PYTHONPATH': str(ROOT), **env},
        capture_output=True,
        text=True,
    )


# --- the missing localizer ---------------------------------------------------


def test_drn_stub_is_needed():
    done = run_python('import mmaction.models')
    if done.returncode == 0:
        pytest.skip('mmaction.models imports by itself: supply_drn can go')
    assert 'drn' in done.stderr or 'torchvision' in done.stderr


def test_drn_stub_is_enough_and_explains_itself():
    # in a process of its own: here the tests have imported everything already
    done = run_python(
        'import ssvad, mmaction.models as m\n'
        'from mmaction.registry import MODELS\n'
        "assert 'ActionDataPreprocessor' in MODELS\n"
        'm.localizers.DRN()\n'
    )
    if compat._find_drn():
        pytest.skip('this mmaction2 has its DRN')
    assert 'ImportError: DRN is not part of this mmaction2' in done.stderr


def test_real_drn_is_left_alone(monkeypatch):
    monkeypatch.setattr(compat, '_find_drn', lambda: True)
    monkeypatch.delitem(sys.modules, compat._DRN, raising=False)
    compat.supply_drn()
    assert compat._DRN not in sys.modules


@pytest.mark.parametrize(
    'file, torchvision, expected', [(1, 1, True), (1, 0, False), (0, 1, False)]
)
def test_drn_needs_its_file_and_torchvision(
    monkeypatch, tmp_path, file, torchvision, expected
):
    import mmaction

    (tmp_path / 'models/localizers/drn').mkdir(parents=True)
    if file:
        (tmp_path / 'models/localizers/drn/drn.py').touch()
    monkeypatch.setattr(mmaction, '__file__', str(tmp_path / '__init__.py'))
    monkeypatch.setattr(
        compat.importlib.util,
        'find_spec',
        lambda name: object() if torchvision else None,
    )
    assert compat._find_drn() is expected


# --- distributed runs without accelerator ------------------------------------


@on_cpu
def test_start_of_processes_on_a_cpu_is_broken_upstream(monkeypatch):
    from mmengine.dist.utils import _init_dist_pytorch

    for name in ('RANK', 'LOCAL_RANK'):
        monkeypatch.setenv(name, '0')
    try:
        store = torch.distributed.HashStore()
        _init_dist_pytorch('gloo', world_size=1, store=store)
    except (AssertionError, AttributeError, RuntimeError) as error:
        assert re.search('cuda|nvidia', str(error), re.IGNORECASE)
    else:
        torch.distributed.destroy_process_group()
        pytest.skip('mmengine starts gloo by itself: prepare_distributed can go')


def prepare(monkeypatch, **settings):
    """Run `prepare_distributed` on a config, return it and what was started."""
    started = []
    monkeypatch.setattr(
        torch.distributed,
        'init_process_group',
        lambda backend, timeout: started.append((backend, timeout.total_seconds())),
    )
    cfg = ConfigDict(settings)
    compat.prepare_distributed(cfg)
    return cfg, started


@on_cpu
def test_wrapper_is_the_default_one_without_device(monkeypatch):
    cfg, started = prepare(monkeypatch, launcher='pytorch', find_unused_parameters=True)
    assert started == [('gloo', 1800)]
    assert cfg.model_wrapper_cfg == dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=True,
        device_ids=None,
    )


@on_cpu
def test_own_wrapper_and_timeout_are_kept(monkeypatch):
    own = dict(type='MMDistributedDataParallel', broadcast_buffers=True)
    cfg, started = prepare(
        monkeypatch,
        launcher='pytorch',
        model_wrapper_cfg=own,
        env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=60)),
    )
    assert started == [('gloo', 60)]
    assert cfg.model_wrapper_cfg == dict(own, device_ids=None)


@pytest.mark.parametrize('launcher, device', [('none', 'cpu'), ('pytorch', 'cuda')])
def test_other_runs_are_left_alone(monkeypatch, launcher, device):
    monkeypatch.setattr('mmengine.device.get_device', lambda: device)
    cfg, started = prepare(monkeypatch, launcher=launcher)
    assert (cfg, started) == (dict(launcher=launcher), [])


def test_other_launchers_need_an_accelerator(monkeypatch):
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    with pytest.raises(ValueError, match="'mpi' needs an accelerator.*torchrun"):
        prepare(monkeypatch, launcher='mpi')


# --- versions ----------------------------------------------------------------


@pytest.mark.parametrize(
    'found, fits',
    [
        ('2.0.1', True),
        ('2.1.0', True),
        ('2.1.0+cu121', True),
        ('2.2', False),
        ('2.2.0', False),
        ('2.2.0rc1', False),
        ('2.0.0rc4', False),
        ('1.7.2', False),
        ('10.0', False),
        (None, False),
    ],
)
def test_range_of_versions(found, fits):
    assert (compat.version_problem('mmcv', found, '2.0.1', '2.2') is None) is fits


def test_missing_mmcv_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcv', None)
    with pytest.raises(ImportError) as caught:
        compat.check_versions()
    assert str(caught.value) == (
        'ssvad needs mmcv-lite>=2.0.1,<2.2 but it is not installed: run '
        "`pip install 'mmcv-lite>=2.0.1,<2.2'`, or build the full mmcv of that range."
    )


def test_torch_whose_loading_is_unsafe_is_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch, '__version__', '2.5.1+cu121')
    with pytest.raises(ImportError, match=r'ssvad needs torch>=2.6,<3 but found torch'):
        compat.check_versions()


def test_a_full_mmcv_stays_a_full_mmcv(monkeypatch):
    import mmcv

    monkeypatch.setattr(mmcv, '__version__', '2.2.0')
    monkeypatch.setattr(compat, '_is_full_mmcv', lambda: True)
    with pytest.raises(ImportError) as caught:
        compat.check_versions()
    assert str(caught.value) == (
        'ssvad needs mmcv>=2.0.1,<2.2 but found mmcv 2.2.0: run '
        "`pip install 'mmcv>=2.0.1,<2.2'`."
    )


def test_a_package_that_breaks_while_importing_is_not_called_missing(
    monkeypatch, tmp_path
):
    (tmp_path / 'mmcv.py').write_text('import no_such_module')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'mmcv')
    with pytest.raises(ModuleNotFoundError, match='no_such_module'):
        compat.check_versions()


def test_version_check_is_needed_and_comes_first(tmp_path):
    (tmp_path / 'mmcv.py').write_text("__version__ = '2.2.0'")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    bare = run_python('import mmaction', PYTHONPATH=path)
    ours = run_python('import ssvad', PYTHONPATH=path)
    assert 'pip install' not in bare.stderr
    assert ours.stderr.splitlines()[-1].startswith('ImportError: ssvad needs mmcv-lite')
