"""docs/checking_your_data.md: its commands run, its kinds and links are right."""

import re
import shlex

import numpy as np
import pytest

from check_report import KINDS
from ssvad.annotation_checks import LARGEST
from ssvad.annotations import save_annotations, write_split
from ssvad.files import MAX_BYTES
from ssvad.video_io import write_video
from tests.helpers import ROOT

PAGE = (ROOT / 'docs/checking_your_data.md').read_text('utf-8')
BLOCKS = re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)


def test_every_command_of_the_page_runs(tmp_path, tool, capsys):
    root, videos = tmp_path / 'data/mine', []
    for number, name in enumerate(('labeled', 'unlabeled', 'test')):
        frames = np.full((4, 16, 32, 3), 70 * number, np.uint8)
        write_video(root / f'videos/{name}.mp4', frames)
        write_split(root / f'splits/{name}.txt', [name])
        size = dict(width=32, height=16, num_frames=4, tubes=[])
        videos.append(dict(id=name, file=f'{name}.mp4', **size))
    save_annotations(root / 'annotations.json', ['x'], videos)
    assert len(BLOCKS) == 2
    for block in BLOCKS:
        words = shlex.split(block.replace('\\\n', ' '))
        assert words[:2] == ['python', 'tools/check_dataset.py']
        with pytest.raises(SystemExit) as ended:
            tool('check_dataset.py', *words[2:])
        assert ended.value.code == 0
    assert (tmp_path / 'report.json').is_file()
    assert capsys.readouterr().out.count('nothing wrong') == 2


def test_every_kind_is_explained():
    rows = re.findall(r'^\| (`.*?) \|', PAGE, re.MULTILINE)
    assert sorted(re.findall(r'`([a-z-]+)`', ' '.join(rows))) == sorted(KINDS)


def test_limits_are_the_true_ones():
    assert f'{MAX_BYTES >> 20} MB' in PAGE
    assert f'{LARGEST["num_frames"] // 10**6} million frames' in PAGE
    assert f'{LARGEST["width"]} x {LARGEST["height"]} pixels' in PAGE


def test_named_files_exist():
    for link in re.findall(r'\]\((?!http)([^)]+)\)', PAGE):
        assert (ROOT / 'docs' / link).is_file()
    for name in re.findall(r'\btools/\w+\.py', PAGE):
        assert (ROOT / name).is_file()
