"""docs/your_own_dataset.md, command by command, in a stranger's folder of videos."""

import json
import re
import subprocess

import av
import cv2
import pytest

from ssvad.annotations import load_annotations, read_split
from ssvad.datasets.toy_scene import CLASSES
from tests.helpers import ROOT
from tests.tools.own_videos import film, make_folder

PAGE = (ROOT / 'docs/your_own_dataset.md').read_text('utf-8')
COMMANDS = [
    line
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)
    for line in block.replace('\\\n', ' ').splitlines()
]
WORK = 'work_dirs/own_dataset_semi_var'
# the page is the same, only smaller and shorter
SHORT = {
    'browse_dataset.py': ['train_dataloader.num_workers=0'],
    'train.py': [
        'train_cfg.max_epochs=2',
        'train_cfg.val_interval=2',
        'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0',
        'default_hooks.logger.interval=1',
    ],
    'test.py': ['test_dataloader.num_workers=0'],
}


def step(name):
    """The commands of the page that run a tool."""
    found = [command for command in COMMANDS if f'tools/{name}.py' in command]
    assert found, name
    return found


@pytest.fixture
def follow(tool, tmp_path, monkeypatch, capsys):
    """Run a command of the page, shortened; returns what it printed."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')

    def run(command):
        assert command.startswith('python tools/')
        # names with stars, and what $(...) stands for, as the shell has it
        script = f"printf '%s\\n' {command}"
        words = subprocess.check_output(['bash', '-c', script], cwd=tmp_path, text=True)
        _, script, *words = words.splitlines()
        name = script.partition('/')[2]
        if name in SHORT:
            words += ['--cfg-options', *SHORT[name]]
        capsys.readouterr()
        try:
            tool(name, *words)
        except SystemExit as left:
            assert not left.code, left
        return capsys.readouterr().out

    return run


@pytest.fixture
def small(monkeypatch):
    """What the page exports for machines without a GPU, with even smaller clips."""
    (export,) = [command for command in COMMANDS if command.startswith('export ')]
    for name, value in re.findall(r'(\w+)=(\S+)', export):
        monkeypatch.setenv(name, '56' if name == 'SSVAD_SIZE' else value)


def pictures(folder):
    """Pictures by name, none of them empty."""
    found = {path.name: cv2.imread(str(path)) for path in folder.glob('*.png')}
    assert all(picture.std() > 5 for picture in found.values())
    return found


@pytest.mark.slow
def test_the_page_from_end_to_end(follow, small, tmp_path, monkeypatch):
    make_folder(tmp_path / 'data/mine', 'cvat', annotated=12, others=4)
    (tmp_path / 'data/mine/videos/phone/broken.mp4').write_bytes(b'not a video')
    film(tmp_path / 'new.mp4', 2, 'test')

    printed = follow(*step('convert_cvat'))
    tubes = re.search(r'(\d+ videos, \d+ tubes) -> data/mine/ann', printed)[1]
    assert tubes.startswith('12 videos')
    assert 'nothing wrong' in follow(*step('check_dataset'))
    # of three videos of a class a third, not the page's 0.3, is one
    (divide,) = step('split_folder')
    printed = follow(divide.replace('0.3', '0.4'))
    assert '8 videos -> data/mine/splits/labeled.txt: bounce 2, pulse 2' in printed
    assert '5 videos -> data/mine/splits/unlabeled.txt' in printed

    train, test, attention = step('browse_dataset')
    follow(train)
    follow(test)
    sheets = pictures(tmp_path / WORK / 'browse')
    assert sum(name.startswith('test_') for name in sheets) == 4
    clips = {name: s for name, s in sheets.items() if name.startswith('train_')}
    assert len(clips) == 8
    green = {name: sheet[0, -1].argmax() == 1 for name, sheet in clips.items()}
    assert all(known == ('clip_' in name) for name, known in green.items())

    follow(*step('train'))
    work = tmp_path / WORK
    log = [json.loads(x) for x in open(next(work.glob('*/vis_data/2*.json')))]
    losses = [row for row in log if 'loss_cons_mask' in row]
    assert losses and all(0 < row['loss'] < 100 for row in losses)
    assert 'broken.mp4' in next(work.glob('2*/2*.log')).read_text()

    # a variable left out now makes no difference
    for name in ('SSVAD_NETWORK', 'SSVAD_SIZE'):
        monkeypatch.delenv(name)
    follow(*step('test'))
    metrics = json.loads(max(work.glob('2*/2*.json')).read_text())
    for key in ('frame_mAP@0.50', 'video_mAP@0.50', 'video_acc'):
        assert f'stad/{key}' in PAGE and 0 <= metrics[f'stad/{key}'] <= 100
    assert any(key.startswith('stad/frame_err_') for key in metrics)
    drawn = {name[:-4] for name in pictures(work / 'pictures')}
    drawn = {name for name in drawn if not name.startswith('epoch_')}  # in training
    assert drawn == set(read_split('data/mine/splits/test.txt'))
    follow(attention)
    assert len(pictures(work / 'attention')) == 8

    follow(*step('infer'))
    found = json.loads((tmp_path / 'results/new.json').read_text())
    assert found['video'] == 'new.mp4'
    assert {tube['class'] for tube in found['tubes']} <= set(CLASSES)
    assert list(pictures(tmp_path / 'results')) == ['new.png']
    with av.open(str(tmp_path / 'results/new.mp4')) as film_of_tubes:
        frames = sum(1 for _ in film_of_tubes.decode(video=0))
    assert frames == found['num_frames']


def test_coco_annotations_and_folders(follow, small, tmp_path):
    make_folder(tmp_path / 'data/mine', 'coco', annotated=4, others=2)
    follow(*step('convert_coco'))
    data = load_annotations(tmp_path / 'data/mine/annotations.json')
    assert data['classes'] == list(CLASSES)
    assert {video['file'].split('/')[0] for video in data['videos']} == {
        'day 0',
        'day 1',
    }
    splits = tmp_path / 'data/mine/splits'
    splits.mkdir()
    (splits / 'labeled.txt').write_text('day 0/clip_00\nday 1/clip_01\n')
    (splits / 'unlabeled.txt').write_text('phone/a/00\nphone/b/01\n')
    train, *_ = step('browse_dataset')
    follow(train)
    names = sorted(pictures(tmp_path / WORK / 'browse'))
    assert len(names) == 4
    assert sorted(name[10:] for name in names) == [
        'day 0_clip_00.png',
        'day 1_clip_01.png',
        'phone_a_00.png',
        'phone_b_01.png',
    ]


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()


def test_every_command_is_run_by_a_test():
    tools = re.findall(r'tools/(\w+)\.py', ' '.join(COMMANDS))
    assert len(tools) == len(COMMANDS) - 1  # and one export
    tested = {'convert_cvat', 'convert_coco', 'check_dataset', 'split_folder'}
    assert set(tools) == tested | {'browse_dataset', 'train', 'test', 'infer'}


def test_files_and_flags_of_the_page_exist():
    for name in re.findall(r'\b(?:configs|tools|docs)/[\w/]+\.py', PAGE):
        assert (ROOT / name).is_file(), name
    source = '\n'.join(path.read_text() for path in (ROOT / 'tools').glob('*.py'))
    flags = set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', PAGE))
    assert {flag for flag in flags if f"'{flag}'" not in source} == set()
