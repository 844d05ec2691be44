"""tools/infer.py, and docs/inference.md: its commands run, its example holds."""

import json
import re
import shlex

import cv2
import pytest
import torch

from ssvad.apis.model_loading import build_detector, read_config
from ssvad.video_io import write_video
from tests.apis.inference import moving, world
from tests.apis.test_sources import Camera
from tests.helpers import ROOT

PAGE = (ROOT / 'docs/inference.md').read_text('utf-8')
BLOCKS = dict(re.findall(r'```(python)\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = re.findall(r'^python (tools/infer\.py .*)$', PAGE, re.MULTILINE)


class Front(Camera):
    """The only camera."""

    frames = moving(30, width=64)

    def isOpened(self):  # noqa: N802
        return self.index == 0


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A training's folder of the toy world, whose network has learned nothing."""
    folder = tmp_path_factory.mktemp('work') / 'toy_semi_var'
    cfg = read_config(ROOT / 'configs/toy_semi_var.py')
    state = build_detector(cfg)[0].state_dict()
    folder.mkdir()
    cfg.dump(folder / 'toy_semi_var.py')
    meta = dict(dataset_meta=dict(classes=('bounce', 'pulse', 'spin', 'sway')))
    torch.save(dict(state_dict=state, meta=meta), folder / 'epoch_16.pth')
    return folder


@pytest.fixture
def workplace(tmp_path, checkpoint, monkeypatch):
    (tmp_path / 'work_dirs').mkdir()
    (tmp_path / 'work_dirs/toy_semi_var').symlink_to(checkpoint)
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    write_video(tmp_path / 'my_video.mp4', moving(20, width=64))
    write_video(tmp_path / 'my_videos/one.mp4', moving(18, width=64))
    write_video(tmp_path / 'my_videos/day/two.mp4', moving(16, width=64))
    monkeypatch.setattr(cv2, 'VideoCapture', Front)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob('*.*')}


def three(name):
    return {f'{name}.{suffix}' for suffix in ('json', 'mp4', 'png')}


@pytest.mark.slow
@pytest.mark.parametrize('command', COMMANDS)
def test_commands_of_the_page_run(workplace, tool, capsys, command):
    words = shlex.split(command)[1:]
    (workplace / 'my_videos/broken.mp4').write_bytes(b'')
    if 'my_videos/*.mp4' in words:
        (workplace / 'my_videos/broken.mp4').unlink()
    tool('infer.py', *words)
    expected = {
        'my_videos': three('one') | three('day/two'),
        '0': three('camera_0'),
    }.get(words[0], three('my_video'))
    out = capsys.readouterr().out
    if '--pred-out-file' in words:
        found = json.loads((workplace / 'tubes.json').read_text())['predictions']
        assert [p['video'] for p in found] == ['my_video.mp4', 'my_videos/one.mp4']
        assert not (workplace / 'results').exists()
        return
    assert written(workplace / 'results') == expected and 'written to results' in out
    for path in (workplace / 'results').rglob('*.json'):
        found = json.loads(path.read_text())
        assert ('masks' in found) == ('--masks' in words)
        assert re.search(rf'{found["num_frames"]} frames, \d+ tubes', out)


def test_the_page_shows_what_there_is():
    assert len(COMMANDS) == 8
    options = set(re.findall(r'(?<!-)--[a-z]+[a-z-]*', PAGE))
    source = (ROOT / 'tools/infer.py').read_text()
    assert options and all(f"'{option}'" in source for option in options)
    for link in re.findall(r'\bdocs/\w+\.md', PAGE):
        assert (ROOT / link).exists()


def test_the_example_runs(workplace, capsys):
    names = {}
    exec(BLOCKS['python'], names)
    assert names['mask'].shape == (48, 64)
    keys = set(re.findall(r'^\| (`.*?`) \|', PAGE, re.MULTILINE))
    told = {name for cell in keys for name in re.findall(r'`(\w+)`', cell)}
    assert set(names['video']) <= told
    assert all(set(tube) <= told for tube in names['video']['tubes'])


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """A config, weights that find what is bright, and a video."""
    folder = tmp_path_factory.mktemp('tiny')
    return (*world(folder, {'a': moving(41)}), folder / 'videos/a.mp4')


def test_tubes_are_summed_up(tool, tiny, capsys):
    video = tiny[2]
    tool('infer.py', video, '--weights', tiny[1], '--device', 'cpu', '--no-progress')
    lines = capsys.readouterr().out.splitlines()
    start = lines.index(f'{video}: 41 frames, 2 tubes')
    assert re.fullmatch(r'  #0 \w+ 0\.\d{3}, frames 0 to 40', lines[start + 1])
    assert re.fullmatch(r'  #1 \w+ 0\.\d{3}, frames 0 to 19', lines[start + 2])
    tool('infer.py', video, '--weights', tiny[1], '--score-thr', '0.9')
    out = capsys.readouterr().out
    assert '41 frames, 0 tubes\n  Trained for long enough? --mask-thr' in out


def test_settings_reach_the_inferencer(tool, tiny, tmp_path, capsys):
    (tmp_path / 'names.txt').write_text('x\ny\nz\n')
    tool(
        *('infer.py', tiny[2], '--config', tiny[0]),
        *('--weights', tiny[1], '--label-file', tmp_path / 'names.txt'),
        *('--class-score', 'clip', '--topk-classes', 1, '--max-frames', 30),
        *('--clips-per-forward', 3, '--pred-out-file', tmp_path / 'p.json'),
        *('--mask-thr', 0.6, '--cfg-options', 'test_evaluator.linker.min_len=25'),
    )
    (found,) = json.loads((tmp_path / 'p.json').read_text())['predictions']
    assert found['num_frames'] == 30
    (tube,) = found['tubes']  # the other is 20 frames long
    assert tube['class'] in 'xyz' and len(tube['boxes']) == 30


@pytest.mark.parametrize(
    'words, told',
    [
        (['gone.mp4'], 'gone.mp4: no such file or folder'),
        (['*.avi'], 'the pattern matches no video'),
        (['7'], 'camera 7: cannot be opened'),
        (['a.txt'], 'a.txt: cannot open'),
        (['a.txt', '--weights', 'gone.pth', '--config', 'tiny.py'], "'gone.pth'"),
        (['a.txt', '--config', 'gone.py'], "config 'gone.py' not found"),
        (['a.txt', '--prefix', 'teacher.'], "no name begins with 'teacher.'"),
        (['a.txt', '--short-side', '3'], 'at least 8 pixels, got 3'),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(tool, tiny, tmp_path, monkeypatch, words, told):
    monkeypatch.setattr(cv2, 'VideoCapture', Front)
    (tmp_path / 'a.txt').write_text('no video')
    (tmp_path / 'tiny.py').symlink_to(tiny[0])
    words = words if '--weights' in words else [*words, '--weights', tiny[1]]
    with pytest.raises(SystemExit, match=re.escape(told)) as caught:
        tool('infer.py', *words)
    assert '\n' not in str(caught.value)
