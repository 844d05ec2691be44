"""Pictures of what pipelines make, of real (small) video files."""

import re
import shutil

import cv2
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

import browse_dataset as tool
import convert_coco
import split_folder
from ssvad.visualization import draw
from tests.helpers import ROOT
from tests.tools.own_videos import make_folder

CONFIG = ROOT / 'configs/own_dataset_semi_var.py'


@pytest.fixture(scope='module')
def mine(tmp_path_factory):
    """Twelve annotated videos, eight of them to test, and four others."""
    folder = tmp_path_factory.mktemp('mine')
    make_folder(folder, 'coco', annotated=12, others=4)
    ann = folder / 'annotations.json'
    convert_coco.main([str(folder / 'instances.json'), '--out', str(ann)])
    arguments = [ann, folder / 'videos', '--out-dir', folder / 'splits']
    arguments += ['--test-fraction', 0.7, '--seed', 0]
    split_folder.main(list(map(str, arguments)))
    return folder


@pytest.fixture
def browse(mine, tmp_path, monkeypatch, capsys):
    """Run the tool; returns its pictures, their words, and what it printed."""
    monkeypatch.setenv('SSVAD_OWN', str(mine))
    monkeypatch.setenv('SSVAD_NETWORK', 'i3d_capsules_toy')
    monkeypatch.setenv('SSVAD_SIZE', '56')
    words, caption = [], draw.caption

    def listen(frame, text, *colour):
        words.append(text)
        return caption(frame, text, *colour)

    monkeypatch.setattr(draw, 'caption', listen)

    def run(*arguments):
        words.clear()
        out = tmp_path / 'out'
        tool.main([*map(str, arguments), '--out-dir', str(out)])
        pictures = {path.name: cv2.imread(str(path)) for path in out.iterdir()}
        return pictures, list(words), capsys.readouterr().out

    return run


def listed(mine, name):
    lines = (mine / f'splits/{name}.txt').read_text().splitlines()
    return [line for line in lines if not line.startswith('#')]


def test_training_clips_with_all_that_belongs_to_them(browse, mine):
    pictures, words, printed = browse(CONFIG, '--number', 4)
    assert len(pictures) == 4
    titles = [text for text in words if re.match('labelled|UNLABELLED', text)]
    known = [text.startswith('labelled: ') for text in titles]
    assert known == [True, False] * 2
    for number, title in enumerate(titles):
        name = title.split(' - ')[-1]
        assert name in listed(mine, 'labeled' if known[number] else 'unlabeled')
        assert f'train_{number:03d}_{name.replace("/", "_")}.png' in pictures
    rows = [
        'view: base',
        'view: flip',
        'mask of view base (aligned) - UNTRAINED network',
        'mask of view flip (aligned) - UNTRAINED network',
        'CyclicVariance - UNTRAINED network',
    ]
    assert [text for text in words if text not in titles] == rows * 4
    # 56 pixels become 112; a bar above each row and one above all
    assert {p.shape for p in pictures.values()} == {(18 + 5 * 130, 8 * 114 - 2, 3)}
    assert all(picture.std() > 5 for picture in pictures.values())
    assert '4 pictures of 8 samples' in printed


def test_pictures_can_be_made_again(browse):
    first, _, _ = browse(CONFIG, '--number', 1)
    second, _, _ = browse(CONFIG, '--number', 1)
    assert all((first[name] == second[name]).all() for name in first)


def test_attention_is_that_of_the_checkpoint(browse, tmp_path):
    model = MODELS.build(Config.fromfile(CONFIG).model)
    state = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    state['detector.head.smooth.bias'].fill_(10)
    path = tmp_path / 'sure.pth'
    torch.save(dict(state_dict=state), path)
    pictures, words, _ = browse(CONFIG, '--number', 1, '--checkpoint', path)
    assert 'CyclicVariance - sure.pth' in words
    assert not any('UNTRAINED' in text for text in words)
    (sheet,) = pictures.values()
    # all is foreground, in red, and nothing to attend to (BGR)
    mask, attention = (sheet[36 + i * 130 :][:112].mean((0, 1)) for i in (2, 4))
    assert mask.argmax() == 2 and attention.argmax() == 0


def test_test_videos_are_evenly_spread_and_whole(browse, mine):
    pictures, words, _ = browse(CONFIG, '--split', 'test', '--number', 3)
    names = [listed(mine, 'test')[place].replace('/', '_') for place in (0, 4, 7)]
    assert sorted(pictures) == [f'test_{i:03d}_{n}.png' for i, n in enumerate(names)]
    rows = [re.findall(r'\d+', text) for text in words if text.startswith('frames ')]
    assert len(rows) == 3 and len(words) == 6
    for *frames, total in (map(int, row) for row in rows):
        assert [frames[0], *frames[-1:], len(frames)] == [0, total - 1, 8]
        assert frames == sorted(frames)
    # two bars, and 64 pixels become 128
    assert {p.shape for p in pictures.values()} == {(36 + 128, 8 * 130 - 2, 3)}


def test_supervised_configs_have_no_attention(browse, tmp_path):
    config = tmp_path / 'supervised.py'
    config.write_text(
        f"_base_ = ['{CONFIG}']\nmodel = dict(_delete_=True, **_base_.model.detector)\n"
    )
    pictures, words, _ = browse(config, '--number', 99)
    assert len(pictures) == 8  # an epoch
    assert {text for text in words if ' - ' not in text} == {'view: base', 'view: flip'}
    with pytest.raises(SystemExit):
        browse(config, '--checkpoint', config)


def test_options_of_the_config_can_be_changed(browse, mine):
    option = 'test_dataloader.dataset.split_file=splits/labeled.txt'
    pictures, _, _ = browse(CONFIG, '--split', 'test', '--cfg-options', option)
    names = {name.replace('/', '_') for name in listed(mine, 'labeled')}
    assert {name[9:-4] for name in pictures} == names


def test_videos_that_cannot_be_read_are_named(browse, mine, tmp_path):
    shutil.copytree(mine, tmp_path / 'mine')
    broken = tmp_path / 'mine/videos' / f'{listed(mine, "test")[0]}.mp4'
    broken.write_bytes(b'not a video')
    option = f'test_dataloader.dataset.data_root={tmp_path}/mine'
    with pytest.raises(SystemExit, match=broken.name):
        browse(CONFIG, '--split', 'test', '--number', 1, '--cfg-options', option)


@pytest.mark.parametrize('arguments, message', [
    (['nowhere.py'], "config 'nowhere.py' not found"),
    ([CONFIG, '--number', '0'], '--number must be at least 1, got 0'),
    ([CONFIG, '--checkpoint', 'no.pth'], "checkpoint 'no.pth' not found"),
    ([CONFIG, '--checkpoint', __file__, '--split', 'val'], 'needs --split train'),
    ([CONFIG, '--cfg-options', 'train_dataloader=None'], 'has no train_dataloader'),
])  # fmt: skip
def test_errors_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        tool.main(list(map(str, arguments)))
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_weights_of_another_network_are_refused(browse, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), path)
    with pytest.raises(RuntimeError, match='(?i)missing key'):
        browse(CONFIG, '--checkpoint', path)
