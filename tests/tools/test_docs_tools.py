"""docs/tools.md: its commands run on a small toy set, and it names every tool."""

import glob
import os
import re
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from tests.helpers import ROOT

PAGE = (ROOT / 'docs/tools.md').read_text('utf-8')
BLOCKS = re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
# the same, only shorter
SHORT = ['--no-validate', '--cfg-options', 'train_cfg.max_epochs=1']


@pytest.fixture
def workplace(tmp_path, tool):
    """A folder with the toy set, and two runs of an epoch."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    sizes = '--num-train 16 --num-test 3 --labeled-fraction 0.5'
    tool('make_toy_dataset.py', '--out-dir', 'data/toy', *sizes.split())
    for name in ('toy_sup', 'toy_semi_var'):
        tool('train.py', f'configs/{name}.py', *SHORT)
    first = np.zeros(1, int)
    boxes = dict(video=first, frame=first + 1, label=first, score=first + 0.5)
    np.savez(tmp_path / 'boxes.npz', boxes=np.array([[1.0, 1, 9, 9]]), **boxes)
    return tmp_path


@pytest.mark.slow
def test_commands_run(workplace, tool, capsys):
    assert len(COMMANDS) == 14
    for command in COMMANDS:
        if 'get_flops.py' in command:
            continue  # runs in test_get_flops.py
        if '>' in command:
            env = dict(os.environ, PYTHONPATH=str(ROOT))
            command = command.replace('python', sys.executable, 1)
            subprocess.run(command, shell=True, check=True, cwd=workplace, env=env)
            continue
        words = shlex.split(command)
        # as a shell does it
        words = [w for word in words for w in (sorted(glob.glob(word)) or [word])]
        # evaluations of one epoch are not in the logs of so short a run
        words = ['lr' if w.startswith('stad/') else w for w in words]
        assert words[0] == 'python'
        tool(words[1].partition('/')[2], *words[2:])
    for name in ('losses', 'compared', 'videos', 'boxes', 'others'):
        assert cv2.imread(str(workplace / f'{name}.png')).std() > 5, name
    assert (workplace / 'results/test_0000.mp4').is_file()
    assert '_base_' not in (workplace / 'my_config.py').read_text()


def test_every_tool_is_named():
    listed = PAGE[PAGE.index('## All tools') : PAGE.index('## mim')]
    files = [*ROOT.glob('tools/*.py'), *ROOT.glob('tools/*.sh')]
    tools = {p.name for p in files if p.suffix == '.sh' or '__main__' in p.read_text()}
    named = set(re.findall(r'`(?:standalone/)?(\w+\.(?:py|sh))`', listed))
    assert named - {'run_onnx.py'} == tools
    assert (ROOT / 'tools/standalone/run_onnx.py').is_file()


@pytest.mark.parametrize(
    'link', sorted(set(re.findall(r'\]\((?!http|#)([^)]+)\)', PAGE)))
)
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()


def test_headings_that_are_linked_exist():
    anchors = set(re.findall(r'\]\(#([\w-]+)\)', PAGE))
    headings = {
        h.lower().replace(' ', '-') for h in re.findall(r'^## (.+)$', PAGE, re.M)
    }
    assert anchors and anchors <= set(headings)


def test_metadata_that_the_page_names():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert all(path in PAGE for path in index['Import'])
