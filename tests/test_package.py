"""What is installed: declared dependencies, pins, scripts and the Makefile."""

import ast
import importlib.metadata
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement

import ssvad
from ssvad import compat
from tests.helpers import ROOT

# module -> name on the package index, where they differ
DISTRIBUTIONS = {
    'mkdocs': 'mkdocs-material',
    'mmaction': 'mmaction2',
    'mmcv': 'mmcv-lite',
}
# what another dependency declares: every mmengine brings an OpenCV, jinja2 the last
BROUGHT_ALONG = {'PIL', 'cv2', 'markupsafe'}


@pytest.fixture(scope='module')
def metadata():
    """The keyword arguments of `setup` in setup.py."""
    caught = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, 'setup', lambda **kwargs: caught.update(kwargs))
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / 'setup.py'))
    return caught


@pytest.fixture(scope='module')
def requirements(metadata):
    """All requirements a developer's environment has, by name."""
    extras = metadata['extras_require']
    texts = metadata['install_requires']
    for extra in ('lite', 'export', 'docs', 'dev'):
        texts += extras[extra]
    return {Requirement(text).name: Requirement(text).specifier for text in texts}


def third_party_imports():
    own = {'ssvad', 'tests', *sys.stdlib_module_names}
    own |= {path.stem for path in (ROOT / 'tools').iterdir()}
    for folder in ('ssvad', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text('utf-8'))):
                modules = []
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    modules = [node.module]
                for module in modules:
                    if module.split('.')[0] not in own:
                        yield module.split('.')[0], path.name


@pytest.mark.skipif(sys.version_info < (3, 10), reason='no list of the own modules')
def test_every_import_is_declared(requirements):
    undeclared = {
        (module, file)
        for module, file in third_party_imports()
        if DISTRIBUTIONS.get(module, module) not in requirements
        and module not in BROUGHT_ALONG
    }
    assert undeclared == set()


def test_every_folder_with_code_is_packaged(metadata):
    folders = {path.parent for path in (ROOT / 'ssvad').rglob('*.py')}
    names = {'.'.join(f.relative_to(ROOT).parts) for f in folders}
    assert set(metadata['packages']) == names


def test_a_built_package_has_configs_and_tools_where_mim_looks(tmp_path):
    command = [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', tmp_path]
    subprocess.run(command, cwd=ROOT, check=True)
    built = tmp_path / 'ssvad'
    for name in ('configs/_base_/runtime.py', 'tools/train.py', 'model-index.yml'):
        assert (built / '.mim' / name).is_file()
    assert not list(built.rglob('__pycache__'))
    templates = {p.name for p in (ROOT / 'ssvad/visualization').glob('report.*')}
    assert templates and templates <= {p.name for p in built.rglob('report.*')}


def test_setup_and_compat_name_the_same_ranges(requirements):
    for _, name, lowest, too_new in compat.REQUIRED:
        assert (
            requirements[name] == Requirement(f'{name}>={lowest},<{too_new}').specifier
        )


def test_the_two_builds_of_mmcv_share_a_range(metadata):
    (lite,) = metadata['extras_require']['lite']
    (full,) = metadata['extras_require']['full']
    assert lite.replace('mmcv-lite', 'mmcv') == full


def test_version_is_the_package_s_own(metadata):
    assert metadata['version'] == ssvad.__version__


def test_importlib_metadata_is_needed_and_declared(requirements):
    import mmaction

    folder = Path(mmaction.__file__).parent
    text = (folder / 'utils/dependency.py').read_text('utf-8')
    declared = importlib.metadata.requires('mmaction2') or []
    if 'importlib_metadata' not in text or any('importlib' in d for d in declared):
        pytest.skip('mmaction2 takes care of itself: importlib_metadata can go')
    assert 'importlib_metadata' in requirements


def read_pins():
    lines = (ROOT / 'requirements/pinned.txt').read_text().splitlines()
    pins = (line.split('==') for line in lines if line and not line.startswith('#'))
    return dict(pins)


def test_every_requirement_has_a_pin_in_its_range(requirements):
    pins = read_pins()
    assert set(requirements) <= set(pins)
    for name, allowed in requirements.items():
        assert pins[name] in allowed


def test_pre_commit_runs_the_pinned_ruff():
    text = (ROOT / '.pre-commit-config.yaml').read_text()
    assert f'rev: v{read_pins()["ruff"]}' in text


@pytest.mark.parametrize(
    'installed, expected',
    [
        ([], ['torch==1', 'mmcv-lite==2', 'importlib_metadata==3']),
        (['Torch', 'importlib-metadata'], ['mmcv-lite==2']),
        (['mmcv'], ['torch==1', 'importlib_metadata==3']),
        (['mmcv-lite', 'torch', 'importlib.metadata'], []),
    ],
)
def test_only_what_is_missing_is_installed(installed, expected):
    missing = runpy.run_path(str(ROOT / 'requirements/missing.py'))
    pins = ['# a comment', '', 'torch==1', 'mmcv-lite==2', 'importlib_metadata==3']
    assert missing['find_missing'](pins, installed) == expected


@pytest.mark.parametrize(
    'script', ['.ci/run', 'tools/dist_train.sh', 'tools/dist_test.sh']
)
def test_scripts_can_be_executed(script):
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.skipif(shutil.which('make') is None, reason='no make')
@pytest.mark.parametrize('active', [True, False])
def test_make_uses_the_active_environment_or_makes_one(tmp_path, active):
    shutil.copy(ROOT / 'Makefile', tmp_path)
    for file in ('setup.py', 'pyproject.toml', 'requirements/pinned.txt'):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    # nothing of the `make test` that may be running this
    env = dict(PATH=os.environ['PATH'])
    if active:
        env['VIRTUAL_ENV'] = '/own'
    printed = subprocess.check_output(
        ['make', '-n', 'test'], cwd=tmp_path, env=env, text=True
    )
    commands = printed.splitlines()
    used = '/own' if active else '.venv'
    assert ('python3 -m venv --clear .venv' in commands) is not active
    tests = f'{used}/bin/python -m pytest -n 2 --dist loadgroup'
    assert commands[-1].strip() == tests
    assert all(
        line.startswith(('python3 -m venv', f'{used}/', 'touch')) for line in commands
    )
