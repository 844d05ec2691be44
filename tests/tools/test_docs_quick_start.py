"""docs/quick_start.md: its commands run, on a toy world that is smaller."""

import json
import subprocess
import sys

import cv2
import pytest

from tests.docs_blocks import BLOCKS, QUICK
from tests.docs_pages import blocks, commands, words
from tests.helpers import ROOT

COMMANDS = [c for block in blocks('docs/quick_start.md') for c in commands(block)]
DATA = '--num-train 24 --num-test 21 --labeled-fraction 0.5'.split()
# the page is the same, only shorter
SHORT = {
    'train.py': [
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=9',
        'train_dataloader.num_workers=0',
    ],
    'test.py': ['test_dataloader.num_workers=0'],
}


@pytest.mark.slow
def test_every_command_of_the_page_runs(tool, tmp_path, capsys):
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    first, activate, *others = COMMANDS
    assert (first, activate) == ('make demo', 'source .venv/bin/activate')
    # the environment that it makes, without the packages
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', '.venv'], check=True)
    found = subprocess.check_output(['bash', '-euc', f'{activate}\ncommand -v python'])
    assert found.decode().strip() == str(tmp_path / '.venv/bin/python')
    # what `make demo` does, for two epochs
    tool('make_toy_dataset.py', '--out-dir', 'data/toy', *DATA)
    options = ['train_cfg.max_epochs=2', *SHORT['train.py'][1:]]
    tool('train.py', 'configs/toy_semi_var.py', '--cfg-options', *options)
    work = tmp_path / 'work_dirs/toy_semi_var'
    (work / 'epoch_2.pth').rename(work / 'epoch_16.pth')
    for command in others:
        _, script, *args = words(command)
        name = script.removeprefix('tools/')
        if name in SHORT:
            args += [] if '--cfg-options' in args else ['--cfg-options']
            args += SHORT[name]
        tool(name, *args)
    assert len(others) == 4
    assert {file.suffix for file in (tmp_path / 'results').glob('test_0020.*')} == {
        '.json',
        '.mp4',
        '.png',
    }
    sheets = list((work / 'browse').glob('*.png'))
    assert len(sheets) == 4
    # a title, then two views, two masks and the attention under captions
    heights = {cv2.imread(str(sheet)).shape[0] for sheet in sheets}
    assert heights == {18 + 5 * (18 + 4 * 32)}
    (log,) = (tmp_path / 'work_dirs/plain').glob('*/vis_data/2*.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert any('loss_cons_mask' in row for row in rows)
    assert list(work.glob('2*/2*.json')), 'numbers of the test'


def test_the_tour_of_the_readme_is_on_the_page():
    entries = BLOCKS['README.md']
    for entry, block in zip(entries, blocks('README.md')):
        if entry == QUICK:
            assert set(map(tuple, map(words, commands(block)))) <= set(
                map(tuple, map(words, COMMANDS))
            )
