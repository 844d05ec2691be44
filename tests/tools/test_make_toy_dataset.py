import importlib.util

import pytest
from decord import VideoReader

from ssvad.annotations import load_annotations, read_split
from ssvad.datasets.toy_scene import CLASSES
from ssvad.datasets.toy_videos import render_video
from tests.helpers import ROOT


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/make_toy_dataset.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arguments(out, *more, train=10, test=1):
    sizes = ['--num-train', str(train), '--num-test', str(test)]
    return ['--out-dir', str(out), *sizes, '--labeled-fraction', '0.5', *more]


def contents(folder):
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_dataset_is_whole_and_agrees_with_its_videos(tool, tmp_path, capsys):
    out = tmp_path / 'toy'
    tool.main(arguments(out, train=12, test=5))
    assert str(out / 'annotations.json') in capsys.readouterr().out
    data = load_annotations(out / 'annotations.json')
    assert tuple(data['classes']) == CLASSES
    videos = {video['id']: video for video in data['videos']}
    lists = {
        name: read_split(out / f'splits/{name}.txt')
        for name in ('train', 'labeled', 'unlabeled', 'test')
    }
    assert (len(lists['train']), len(lists['test'])) == (12, 5)
    assert sorted(lists['train'] + lists['test']) == sorted(videos)
    assert sorted(lists['labeled'] + lists['unlabeled']) == lists['train']
    # 3 of each of the 4 classes, half of them rounded down
    labels = [videos[name]['tubes'][0]['label'] for name in lists['labeled']]
    assert sorted(labels) == [0, 1, 2, 3]
    for video in videos.values():
        reader = VideoReader(str(out / 'videos' / video['file']), num_threads=1)
        assert len(reader) == video['num_frames']
        assert reader[0].shape == (video['height'], video['width'], 3)
    frames, tubes = render_video(0, 'train', 3)
    assert videos['train_0003']['tubes'] == tubes
    reader = VideoReader(str(out / 'videos/train_0003.mp4'), num_threads=1)
    assert abs(reader[20].asnumpy().astype(int) - frames[20]).mean() < 8


def test_again_the_same_bytes_and_no_other_settings(tool, tmp_path):
    out = tmp_path / 'toy'
    tool.main(arguments(out))
    first = contents(out)
    (out / 'videos/train_0001.mp4').unlink()
    tool.main(arguments(out))
    assert contents(out) == first
    with pytest.raises(ValueError, match='other settings.*--overwrite'):
        tool.main(arguments(out, '--seed', '1'))
    assert contents(out) == first
    tool.main(arguments(out, '--seed', '1', '--overwrite', train=6))
    second = contents(out)
    assert 'videos/train_0006.mp4' not in second
    assert second['annotations.json'] != first['annotations.json']


def test_foreign_folder_is_left_alone(tool, tmp_path):
    (tmp_path / 'mine.txt').write_text('x')
    for more in ([], ['--overwrite']):
        with pytest.raises(ValueError, match='not empty'):
            tool.main(arguments(tmp_path, *more))
    assert contents(tmp_path) == {'mine.txt': b'x'}


def test_fraction_that_labels_nothing_fails_before_writing(tool, tmp_path):
    with pytest.raises(ValueError, match='labels no video'):
        tool.main(arguments(tmp_path / 'toy', train=4))
    assert not (tmp_path / 'toy').exists()


def test_overrides_reach_the_options(tool, tmp_path):
    more = ['--difficulty', 'easy', '--max-distractors', '0', '--width', '64']
    more += ['--num-frames', '20', '20', '--period', '8', '9.5']
    tool.main(arguments(tmp_path / 'toy', *more))
    settings = (tmp_path / 'toy/toy.json').read_text()
    assert '"max_distractors": 0' in settings
    assert '"camera_shake": 0.0' in settings
    videos = load_annotations(tmp_path / 'toy/annotations.json')['videos']
    assert {(video['width'], video['num_frames']) for video in videos} == {(64, 20)}
    assert '8.0,\n   9.5' in settings
