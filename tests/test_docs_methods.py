"""docs/methods.md: what it names is there, and costs are those of the configs."""

import re

import pytest

from tests.helpers import ROOT

PAGE = (ROOT / 'docs/methods.md').read_text('utf-8')
ROWS = re.findall(r'^\| \[.*$', PAGE, re.M)
STEMS = [re.findall(r'`(\w+)\.py`', row) for row in ROWS]
ALL = {
    path.stem.split('semi_')[1]
    for path in (ROOT / 'configs').glob('*_semi_*.py')
    if not path.stem.startswith('own')
}


def test_every_method_has_a_row_and_a_section():
    assert ALL - {'var_extra', 'var_fsdp'} == {
        s for stems in STEMS for s in stems if 'sup' not in s
    }
    for row in ROWS:
        anchor = re.search(r'\(#([\w-]+)\)', row)[1]
        titles = [
            t.lower().replace(' ', '-') for t in re.findall(r'^## (.*)$', PAGE, re.M)
        ]
        assert anchor in titles


@pytest.mark.parametrize('row', ROWS)
def test_costs_are_those_of_the_configs(row):
    stems, cost = re.findall(r'`(\w+)\.py`', row), row.strip('| ').split('|')[-1]
    for stem in stems[:1]:
        name = 'ucf24_sup' if 'sup' in stem else f'ucf24_semi_{stem}'
        text = (ROOT / f'configs/{name}.py').read_text().split('"""')[1]
        while 'G multiply-adds' not in text:  # "Cost as another config"
            other = re.search(r'Cost as\s+([\w.]+\.py)', text)[1]
            text = (ROOT / 'configs' / other).read_text().split('"""')[1]
        found = re.findall(r'\b(\d+)\s+G\b', text)
        assert set(re.findall(r'\b\d{3}\b', cost)) <= set(found)


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http|#)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()


def test_named_files_exist():
    names = re.findall(r'\b(?:configs|tools)/[\w/]+\.py\b', PAGE)
    assert names and all((ROOT / name).is_file() for name in names)
