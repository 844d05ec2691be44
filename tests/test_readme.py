"""What the README names is there; its long commands run in tests/tools and CI."""

import re

import pytest

from tests.helpers import ROOT

README = (ROOT / 'README.md').read_text('utf-8')
FILES = sorted(
    set(re.findall(r'\b(?:configs|docs|ssvad|tools)/[\w/]+\.(?:py|sh|png)', README))
)
COMMANDS = re.findall(r'```bash\n(.*?)```', README, re.DOTALL)


@pytest.mark.parametrize('path', FILES)
def test_named_files_exist(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_make_targets_exist():
    targets = re.findall(r'\bmake ([a-z][\w-]*)', ' '.join(COMMANDS))
    makefile = (ROOT / 'Makefile').read_text()
    assert {'demo', 'test'} <= set(targets)
    assert all(re.search(rf'^{target}:', makefile, re.M) for target in targets)


@pytest.mark.parametrize('tool', ['convert_ucf24.py', 'make_split.py'])
def test_flags_of_data_tools_exist(tool):
    source = (ROOT / 'tools' / tool).read_text()
    command = next(c for c in ''.join(COMMANDS).split('python ') if tool in c)
    flags = re.findall(r'--[a-z-]+', command)
    assert flags and all(f"'{flag}'" in source for flag in flags)
