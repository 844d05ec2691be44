"""docs/evaluating_other_detectors.md: its commands and its example run."""

import json
import re
import shlex

import numpy as np
import pytest

import eval_detections as tool
from detections.linking import LINKERS
from ssvad.annotations import save_annotations
from ssvad.evaluation.conventions import PRESETS
from tests.helpers import ROOT
from tests.tools.detection_files import VIDEOS, write_json
from tests.tools.test_eval_detections_malformed_act import act_folder

PAGE = (ROOT / 'docs/evaluating_other_detectors.md').read_text('utf-8')


def blocks(language):
    return re.findall(rf'```{language}\n(.*?)```', PAGE, re.DOTALL)


COMMANDS = [shlex.split(block.replace('\\\n', ' ')) for block in blocks('bash')]
NAMES = 'Biking/v_Biking_g01_c01', 'Diving/v_Diving_g01_c01'


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the files the page speaks of, small ones."""
    monkeypatch.chdir(tmp_path)
    sizes = dict(width=320, height=240)
    boxes = [[9, 19, 90, 80], [29, 19, 60, 99]]
    videos = [
        {**sizes, 'id': name, 'file': f'{name}.avi', 'num_frames': frames,
         'tubes': [{'label': label, 'start': label // 5, 'boxes': [box]}]}
        for name, frames, label, box in zip(NAMES, (3, 20), (2, 5), boxes)
    ]  # fmt: skip
    save_annotations('data/ucf24/annotations.json', VIDEOS['classes'], videos)
    (tmp_path / 'data/ucf24/splits').mkdir()
    (tmp_path / 'data/ucf24/splits/test.txt').write_text('\n'.join(NAMES) + '\n')
    act_folder(tmp_path / 'moc/results')
    for old, new in zip(('a/1', 'b'), NAMES):
        for suffix in ('', '_tubes.pkl'):
            target = tmp_path / f'moc/results/{new}{suffix}'
            target.parent.mkdir(exist_ok=True)
            (tmp_path / f'moc/results/{old}{suffix}').rename(target)
    exec(blocks('python')[0], {})
    return tmp_path


@pytest.mark.parametrize('command', COMMANDS, ids=range(len(COMMANDS)))
def test_commands_run(command, workplace, capsys):
    assert command[:2] == ['python', 'tools/eval_detections.py']
    tool.main(command[2:])
    printed = capsys.readouterr().out
    if command[-1] == 'result.json':
        # the page's detections are right, but for one of a wrong class
        assert re.search(r'frame_mAP@0.50 +100.00\n', printed)
        assert json.loads((workplace / 'result.json').read_text())


def test_coco_example(workplace, capsys):
    tables = {
        'images': [{'id': 7, 'video_id': 1, 'frame_id': 0}],
        'videos': [{'id': 1, 'file_name': f'{NAMES[0]}.avi'}],
        'categories': [{'id': 3, 'name': 'Biking'}],
    }
    data = {'annotations': json.loads(blocks('json')[0]), **tables}
    path = write_json(workplace / 'boxes.json', data)
    tool.main(['data/ucf24/annotations.json', '--boxes', str(path)])
    assert re.search(r'frame_mAP@0.50 +100.00\n', capsys.readouterr().out)


def test_the_example_of_a_message_is_one(workplace, capsys):
    example = re.search(r'`(boxes\.npz: row [^`]*)`', PAGE)[1].replace('\n', ' ')
    path = workplace / 'data/ucf24/annotations.json'
    path.write_text(path.read_text().replace('"num_frames":3', '"num_frames":101'))
    np.savez(
        'boxes.npz',
        video=np.zeros(18, int),
        frame=np.r_[[1] * 17, 102],
        label=np.zeros(18, int),
        score=np.zeros(18),
        boxes=np.array([[10, 20, 90, 80]] * 18),
    )
    with pytest.raises(SystemExit):
        tool.main([str(path), '--boxes', 'boxes.npz'])
    assert example in capsys.readouterr().err


def test_all_presets_and_linkers_are_listed():
    listed = set(re.findall(r'^\| `(\w+)`', PAGE, re.MULTILINE))
    assert listed == {*PRESETS, *LINKERS}
