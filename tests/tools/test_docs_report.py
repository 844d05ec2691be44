"""docs/report.md: its commands run."""

import re
import shlex
import shutil

import pytest

import report as tool
from ssvad.annotations import load_annotations
from tests.helpers import ROOT
from tests.tools.report_world import make_world, write_detections
from tests.toy_run import forget_runs

PAGE = (ROOT / 'docs/report.md').read_text('utf-8')
LINES = ''.join(re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)).replace('\\\n', ' ')
COMMANDS = [shlex.split(line) for line in LINES.splitlines()]


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A folder with all the files that the page speaks of, small ones."""
    folder = tmp_path_factory.mktemp('docs')
    run = make_world(folder / 'data', num_videos=3)
    boxes, tubes = write_detections(folder / 'data', one_based=True)[1:4:2]
    for path in (boxes, tubes):
        path.rename(folder / path.name)
    (folder / 'configs').mkdir()
    shutil.copy(run / 'tiny.py', folder / 'configs/toy_semi_var.py')
    (folder / 'work_dirs').mkdir()
    run.rename(folder / 'work_dirs/toy_semi_var')
    (folder / 'data/ucf24').symlink_to('.')
    (folder / 'data/splits').mkdir()
    videos = load_annotations(folder / 'data/annotations.json')['videos']
    names = ''.join(f'{video["id"]}\n' for video in videos)
    (folder / 'data/splits/test.txt').write_text(names)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('command', COMMANDS, ids=range(len(COMMANDS)))
def test_commands_run(command, made, monkeypatch, capsys):
    monkeypatch.chdir(made)
    forget_runs()
    assert command[:2] == ['python', 'tools/report.py']
    tool.main(command[2:])
    path = re.search(r'written to (\S+) \(', capsys.readouterr().out)[1]
    page = (made / path).read_text('utf-8')
    assert (
        path
        == {
            '--out': command[command.index('--out') + 1] if '--out' in command else '',
            'folder': 'work_dirs/toy_semi_var/report.html',
            'file': 'report.html',
        }[
            '--out'
            if '--out' in command
            else 'file'
            if '.py' in command[2]
            else 'folder'
        ]
    )
    told = {name for name in re.findall(r'<section id="(\w+)"', page)}
    assert {'standard', 'config'} <= told
    assert ('<video' in page) == ('--no-test' not in command)


def test_the_parts_it_names_are_those_of_the_page():
    named = re.findall(r'^\| (\w[\w ]+) \|', PAGE, re.MULTILINE)[1:]
    source = ''.join(p.read_text() for p in (ROOT / 'tools').glob('report*.py'))
    assert len(named) == 6 and all(f"'{name}'" in source for name in named)


def test_its_options_are_those_of_the_tools():
    options = set(re.findall(r'(?<!-)--[a-z]+[a-z-]*', PAGE))
    tools = [ROOT / 'tools/report.py', ROOT / 'tools/eval_detections.py']
    source = ''.join(path.read_text() for path in tools)
    assert options and all(f"'{option}'" in source for option in options)
