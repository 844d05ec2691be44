"""Every threat that the project answers for has a named test (docs/security.md)."""

import ast
import re

import pytest

from tests.helpers import ROOT

THREATS = {
    'Files': [
        'missing',
        'empty',
        'truncated',
        'text',
        'zeros',
        'header frame count wrong',
        'header frame count absurd',
        'shorter than a clip',
        'variable frame rate',
        'rotated',
        'odd sizes',
        'one frame',
        'gigantic resolution in the header',
    ],
    'Annotations': [
        'boxes out of frame',
        'zero area',
        'inverted',
        'NaN',
        'uint8 wrap',
        '1-based',
        'tube longer than the video',
        'boxes shorter than the tube',
        'class out of range',
        'duplicate videos',
        'unicode and odd names',
        'absolute or `..` paths',
        'malicious pickle',
        'compressed bomb',
    ],
    'Splits': [
        'empty labelled or unlabelled',
        'overlap of labelled, unlabelled, test',
        'one video only',
        'fewer videos than the batch',
        'fewer videos than ranks',
    ],
    'Training': [
        'NaN or Inf, loss or gradient',
        'no labelled clip in a batch',
        'one class only',
        'killed in checkpoint writing',
        'disk full',
        'worker killed',
        'rank killed',
        'SIGTERM',
        'resume with other world size or batch',
        'torn newest checkpoint',
        'checkpoint of another model',
    ],
    'Evaluation': [
        'no predictions',
        'unknown video',
        'duplicated records',
        'missing clips',
        'absent class',
        'equal scores',
    ],
    'Security': [
        'weights-only loading',
        'restricted unpickler',
        'escaped names in HTML',
        'a config is code',
        'XML entities',
        'compressed or altered checkpoint',
        'playlist named as a video',
        'pipe in a data folder',
    ],
}
PAGE = (ROOT / 'docs/security.md').read_text('utf-8')


def table(group):
    """Tests of each threat in a group, as the page names them."""
    (part,) = re.findall(rf'^### {group}\n(.*?)(?=^### |\Z)', PAGE, re.M | re.S)
    rows = re.findall(r'^\| (.+) \| (`.+`) \|$', part, re.M)
    return {threat: re.findall(r'`([^`]+)`', tests) for threat, tests in rows}


def names_in(path):
    """Names of the tests of a file."""
    tree = ast.parse((ROOT / path).read_text('utf-8'))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith('test_')}


@pytest.mark.parametrize('group', THREATS)
def test_the_page_has_every_threat(group):
    assert list(table(group)) == THREATS[group]


@pytest.mark.parametrize('group', THREATS)
def test_every_threat_has_tests_that_exist(group):
    for threat, tests in table(group).items():
        assert tests, threat
        for test in tests:
            path, name = test.split('::')
            assert (ROOT / path).is_file(), f'{threat}: no file {path}'
            assert name in names_in(path), f'{threat}: no test {test}'
