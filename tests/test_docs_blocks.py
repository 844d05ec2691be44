"""Every command block of the documentation is run by a test, or it says why not."""

import argparse
import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from tests.docs_blocks import BLOCKS, CI
from tests.docs_pages import PAGES, blocks, commands, words
from tests.helpers import ROOT

ALL = [(page, block) for page in PAGES for block in blocks(page)]
COMMANDS = [(page, command) for page, block in ALL for command in commands(block)]
TOOL = [pair for pair in COMMANDS if words(pair[1])[:1] == ['python']]
RUN = {
    (page, entry)
    for page, entries in BLOCKS.items()
    for entry in entries
    if entry.startswith('tests/')
}
CI_RUN = (ROOT / '.ci/run').read_text()


class Parsed(Exception):
    """A tool has understood its arguments."""


@pytest.mark.parametrize('page', PAGES)
def test_every_block_is_in_the_table(page):
    found, entries = blocks(page), BLOCKS.get(page, [])
    assert len(entries) == len(found), (
        f'{page} has {len(found)} command blocks, tests/docs_blocks.py knows '
        f'{len(entries)}: say which test runs each of them'
    )


def test_the_table_has_no_other_pages():
    assert set(BLOCKS) <= set(PAGES)


@pytest.mark.parametrize('page, entry', sorted(RUN))
def test_the_named_test_exists_and_reads_the_page(page, entry):
    file, _, name = entry.partition('::')
    source = (ROOT / file).read_text('utf-8')
    tree = ast.parse(source)
    assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert re.search(rf"['/]{Path(page).stem}(\.md)?'", source)


@pytest.mark.parametrize('page', BLOCKS)
def test_what_ci_runs_is_in_its_script(page):
    for entry, block in zip(BLOCKS[page], blocks(page)):
        assert entry == CI or entry.startswith(('tests/', 'not run: ')), entry
        for command in commands(block) if entry == CI else ():
            start, *rest = words(command)
            if start == 'python':  # the fuzzing, which is part of all tests
                assert rest[:2] == ['-m', 'pytest'] and 'make test' in CI_RUN
            elif start == 'make':
                target = rest[0].removesuffix('-fast')
                assert re.search(rf'^make {target}\b', CI_RUN, re.MULTILINE), target


@pytest.mark.parametrize('page, command', TOOL, ids=lambda value: value[:60])
def test_every_tool_takes_its_arguments(page, command, monkeypatch, capsys):
    _, script, *args = words(command)
    if script == '-m':
        module, *rest = (word for word in args if not word.startswith('-'))
        assert module in ('pytest', 'mkdocs') and (ROOT / rest[0]).exists()
        return
    assert (ROOT / script).is_file()
    for variable in re.findall(r'(SSVAD_\w+=\S+)', command):
        monkeypatch.setenv(*variable.split('=', 1))
    parse = argparse.ArgumentParser.parse_known_args

    def parse_and_stop(self, *given, **named):
        parsed, rest = parse(self, *given, **named)
        if rest:  # an error, unless another parser takes them
            return parsed, rest
        raise Parsed(parsed)

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(argparse.ArgumentParser, 'parse_known_args', parse_and_stop)
    monkeypatch.setattr(sys, 'argv', [script, *args])
    monkeypatch.syspath_prepend(ROOT / 'tools')
    with pytest.raises((Parsed, SystemExit)) as stopped:
        runpy.run_path(script, run_name='__main__')
    if stopped.type is SystemExit:
        # what this tool parses depends on a file, so only a test can run it
        assert 'not found' in capsys.readouterr().err
        entries = dict(zip(blocks(page), BLOCKS[page]))
        (entry,) = [e for b, e in entries.items() if command in commands(b)]
        assert entry.startswith('tests/')
        return
    parsed = stopped.value.args[0]
    config = getattr(parsed, 'config', None)
    if isinstance(config, str) and config.startswith('configs/'):
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(getattr(parsed, 'cfg_options', None) or {})


@pytest.mark.parametrize('page, block', ALL, ids=lambda value: value[:40])
def test_the_shell_understands_every_block(page, block):
    subprocess.run(['bash', '-n', '-c', block], check=True)
    for command in commands(block):
        start, *rest = words(command) or ['']
        if start == 'make':
            makefile = (ROOT / 'Makefile').read_text()
            assert re.search(rf'^{rest[0]}:', makefile, re.MULTILINE), rest[0]
        elif start.startswith('tools/'):
            assert (ROOT / start).is_file()
        elif start == 'pip':
            for extra in re.findall(r'\[(\w+)\]', command):
                assert f"'{extra}': [" in (ROOT / 'setup.py').read_text()
