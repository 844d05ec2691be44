"""docs/evaluation.md and the README's lines on which number to quote."""

import dataclasses
import re

import pytest

from ssvad.evaluation.conventions import PRESETS, Convention
from tests.evaluation.samples import evaluate, two_actors
from tests.evaluation.test_standard_protocol import evaluate as evaluate_golden
from tests.helpers import ROOT

PAGE = (ROOT / 'docs/evaluation.md').read_text('utf-8')
README = (ROOT / 'README.md').read_text('utf-8')


def keys_named(text):
    """Metric keys in code spans; ``@0.20/0.50`` and a bare ``@0.50`` go on a key."""
    key, found = None, set()
    for span in re.findall(r'`([^`]*)`', text):
        named = re.fullmatch(r'(\w*)@([\d./-]+)', span)
        if named:
            key = named[1] or key
            found |= {f'stad/{key}@{thr}' for thr in named[2].split('/')}
    return found


def test_readme_says_in_ten_lines_which_number_to_quote():
    (paragraph,) = (p for p in README.split('\n\n') if p.startswith('Quote '))
    assert len(paragraph.splitlines()) <= 10
    keys = keys_named(paragraph)
    assert {'stad/frame_mAP@0.50', 'stad/video_mAP@0.20'} < keys
    assert keys <= set(evaluate([two_actors()]))
    assert all(f"'{name}'" in paragraph for name in set(PRESETS) - {'act'})


def test_all_keys_are_explained():
    keys = set(evaluate([two_actors()]))
    table = PAGE.split('| key |')[1].split('\n\n')[0]
    plain = {f'stad/{name}' for name in re.findall(r'`(\w+_acc)`', table)}
    errors = {key for key in keys if '_err_' in key}
    assert '`frame_err_*`' in table
    assert keys_named(table) | plain | errors == keys


def convention_rows():
    table = PAGE.split('| field |')[1].split('\n\n')[0]
    return [re.split(r' *\| *', line.strip('| ')) for line in table.splitlines()[2:]]


def test_all_fields_are_in_the_table():
    named = {n for row in convention_rows() for n in re.findall(r'`(\w+)`', row[0])}
    assert named == {f.name for f in dataclasses.fields(Convention)} - {'name'}


@pytest.mark.parametrize('kind', ['frame', 'video'])
def test_values_in_the_table(kind):
    (row,) = (row for row in convention_rows() if row[0].startswith(f'{kind}-mAP@0.5'))
    for preset, value in zip(('act', 'yowo', 'multisports', 'retinanet3d'), row[1:]):
        found = evaluate_golden(preset=preset)['metrics'][f'{kind}_mAP@0.50']
        assert f'{found:.2f}' == value
