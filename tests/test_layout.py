"""Who may import whom, and how long a file may be."""

import ast
from pathlib import Path

import pytest

from tests.helpers import ROOT

LEAVES = {
    'annotation_checks',
    'annotations',
    'checkpoint_fit',
    'compat',
    'files',
    'geometry',
    'ramps',
    'video_io',
}
ALLOWED = {
    # users' videos become tubes as in the evaluation, and pictures; models come built
    'apis': {'datasets', 'evaluation', 'visualization'},
    # pictures show the boxes that the evaluation finds
    'visualization': {'evaluation'},
}
ROOMS = {'apis', 'datasets', 'engine', 'evaluation', 'models', 'visualization'}
MAX_LINES = 300


def imported_modules(tree, package):
    """Yield the full name of everything that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split('.')[: -node.level + 1 or None] if node.level else []
            module = '.'.join([*base, *filter(None, [node.module])])
            yield from (f'{module}.{alias.name}' for alias in node.names)


def touches_sys_modules(tree):
    """Whether `sys.modules` occurs in the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == 'modules':
            if isinstance(node.value, ast.Name) and node.value.id == 'sys':
                return True
        if isinstance(node, ast.ImportFrom) and node.module == 'sys':
            if any(alias.name == 'modules' for alias in node.names):
                return True
    return False


def find_violations(path, source):
    """Check a file of the package.

    Args:
        path: Path relative to the repository, with slashes.
        source: Its text.
    """
    parts = Path(path).with_suffix('').parts
    tree = ast.parse(source, feature_version=(3, 9))
    own = parts[1]
    package = '.'.join(parts[:-1])
    found = []
    if own != 'compat' and touches_sys_modules(tree):
        found.append('only compat touches sys.modules')
    for module in imported_modules(tree, package):
        if module.split('.')[0] in ('tools', 'tests', 'cli', 'configs'):
            found.append(f'the package imports {module}')
        if not module.startswith('ssvad.') or own == '__init__':
            continue
        target = module.split('.')[1]
        if target not in {own, *LEAVES, *ALLOWED.get(own, ())}:
            found.append(f'{own} imports {target}')
    return found


FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ('ssvad', 'tools', 'tests')
    for path in (ROOT / folder).rglob('*.py')
)


@pytest.mark.parametrize('path', [path for path in FILES if path.startswith('ssvad/')])
def test_imports_stay_within_their_room(path):
    assert find_violations(path, (ROOT / path).read_text('utf-8')) == []


def test_every_file_has_its_room():
    names = {Path(path).with_suffix('').parts[1] for path in FILES if 'ssvad/' in path}
    assert names <= LEAVES | ROOMS | {'__init__'}


def test_no_file_is_longer_than_300_lines():
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in FILES}
    assert {p: n for p, n in lengths.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize(
    'path, source, expected',
    [
        ('datasets/a.py', 'from ssvad.models import x', 'datasets imports models'),
        ('datasets/a.py', 'import ssvad.models.x', 'datasets imports models'),
        ('datasets/a.py', 'from ssvad import models', 'datasets imports models'),
        ('datasets/a.py', 'from ..models.x import y', 'datasets imports models'),
        ('datasets/a.py', 'from .. import models', 'datasets imports models'),
        ('models/semi/a.py', 'from ...datasets import x', 'models imports datasets'),
        (
            'models/a.py',
            'def f():\n    import ssvad.datasets',
            'models imports datasets',
        ),
        ('evaluation/a.py', 'from ssvad.models import x', 'evaluation imports models'),
        ('engine/a.py', 'from ssvad.evaluation import x', 'engine imports evaluation'),
        ('ramps.py', 'from .datasets import x', 'ramps imports datasets'),
        ('models/a.py', 'import sys\nsys.modules[1] = 2', 'only compat touches'),
        ('models/a.py', 'from sys import modules', 'only compat touches'),
        ('models/a.py', 'from tools.train import x', 'the package imports tools'),
    ],
)
def test_violations_are_seen(path, source, expected):
    (found,) = find_violations(f'ssvad/{path}', source)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    'path, source',
    [
        ('datasets/a.py', 'from ssvad.geometry import x\nfrom .b import y'),
        ('models/semi/a.py', 'from ..losses import x\nfrom ... import ramps'),
        ('evaluation/a.py', 'import sys\nfrom ssvad.annotations import x'),
        ('engine/a.py', 'import mmengine.model.modules'),
        ('compat.py', 'import sys\nsys.modules[1] = 2'),
        ('__init__.py', 'from ssvad import compat, datasets, models'),
    ],
)
def test_what_is_allowed_is_not_complained_about(path, source):
    assert find_violations(f'ssvad/{path}', source) == []
