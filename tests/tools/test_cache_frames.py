import os
import pickle
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from ssvad.annotations import save_annotations, write_split
from ssvad.datasets.frame_cache import FrameCacheError, cache_path, read_cache
from ssvad.video_io import write_video
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini

LENGTHS = {'a/1': 10, 'a/2': 12, 'b/3': 14}


@pytest.fixture
def folder(tmp_path):
    """Three videos of 32 x 16 and their annotation."""
    for number, (name, length) in enumerate(LENGTHS.items()):
        frames = np.full((length, 16, 32, 3), 60 * number + 20, np.uint8)
        write_video(tmp_path / 'videos' / f'{name}.mp4', frames)
    size = dict(width=32, height=16, tubes=[])
    videos = [
        dict(id=name, file=f'{name}.mp4', num_frames=length, **size)
        for name, length in LENGTHS.items()
    ]
    save_annotations(tmp_path / 'annotations.json', ['x'], videos)
    return tmp_path


@pytest.fixture
def run(tool, folder, capsys):
    def start(*args):
        arguments = '--data-prefix', folder / 'videos', '--out', folder / 'cache', *args
        tool('cache_frames.py', folder / 'annotations.json', *arguments)
        return capsys.readouterr().out.splitlines()

    return start


def is_cached(folder, name):
    filename = str(folder / 'videos' / f'{name}.mp4')
    try:
        frames = read_cache(folder / 'cache', name, filename, LENGTHS[name])
    except FrameCacheError:
        return False
    number = list(LENGTHS).index(name)
    assert frames.shape == (LENGTHS[name], 16, 32, 3)
    assert abs(int(frames.mean()) - 60 * number - 20) <= 3
    return True


def changes(folder):
    files = (folder / 'cache').rglob('*.npy')
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_the_size_is_told_before_and_what_is_there_is_kept(folder, run):
    first, last = run()
    assert re.match(r'3 videos, 36 frames: 0\.00 GB; 0 videos are there, 0\.00', first)
    assert re.fullmatch(r'3 videos written to .*cache in .* s, 0 unreadable', last)
    assert all(is_cached(folder, name) for name in LENGTHS)
    stored = sum(path.stat().st_size for path in (folder / 'cache').rglob('*.npy'))
    assert stored == 36 * 32 * 16 * 3 + 3 * 128  # frames and headers, nothing else
    before = changes(folder)
    first, last = run()
    assert '3 videos are there, 0.00 GB to write' in first
    assert last.startswith('0 videos written')
    assert changes(folder) == before


def test_sizes_are_bytes_of_decoded_frames(folder, run, monkeypatch):
    big = dict(id='v', file='v.mp4', width=320, height=240, num_frames=5000, tubes=[])
    save_annotations(folder / 'annotations.json', ['x'], [big])
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=1e9))
    with pytest.raises(SystemExit, match='not enough space'):
        run()
    assert not changes(folder)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=2e9))
    _, line, *_ = run()  # goes on, to find that there is no such file
    assert '5000 frames: 1.15 GB' in line and '1.15 GB to write, 2.00 GB free' in line


def test_an_interrupted_run_goes_on_and_a_changed_video_is_decoded_anew(folder, run):
    run()
    before = changes(folder)
    cache_path(folder / 'cache', 'a/1').with_suffix('.json').unlink()
    os.utime(folder / 'videos/b/3.mp4', (1e9, 1e9))
    first, last = run()
    assert '1 videos are there' in first and last.startswith('2 videos written')
    after = changes(folder)
    assert {name for name in after if after[name] != before[name]} == {'1.npy', '3.npy'}
    assert all(is_cached(folder, name) for name in LENGTHS)


def test_unreadable_videos_are_counted_and_named(folder, run):
    (folder / 'videos/a/2.mp4').write_text('not a video')
    (folder / 'videos/b/3.mp4').unlink()
    _, last, *named = run()
    assert '1 videos written' in last and last.endswith('2 unreadable')
    assert len(named) == 2
    assert re.search(r'a/2\.mp4: cannot open', named[0])
    assert re.search(r'b/3\.mp4: no such file', named[1])
    assert is_cached(folder, 'a/1')
    # another run tries them again
    first, last, *named_again = run()
    assert '1 videos are there' in first and last.startswith('0 videos written')
    assert named_again == named


def test_a_list_of_videos_can_be_chosen(folder, run):
    write_split(folder / 'some.txt', ['b/3', 'a/1'])
    first, _ = run('--split', folder / 'some.txt')
    assert first.startswith('2 videos, 24 frames')
    assert [is_cached(folder, name) for name in LENGTHS] == [True, False, True]
    write_split(folder / 'some.txt', ['b/3', 'c/4'])
    with pytest.raises(ValueError, match=r"some\.txt: 1 of 2 ids .* 'c/4'"):
        run('--split', folder / 'some.txt')


@needs_ucf24_mini
def test_the_help_tells_the_true_size_of_ucf24():
    with (UCF24_MINI / 'pyannot.pkl').open('rb') as file:
        videos = pickle.load(file, encoding='latin1')
    test = (UCF24_MINI / 'testlist01.txt').read_text().split()
    test = {name.rsplit('.', 1)[0] for name in test}
    frames = {name: int(video['numf']) for name, video in videos.items()}
    total = sum(frames.values())
    train = sum(count for name, count in frames.items() if name not in test)
    text = ' '.join((ROOT / 'tools/cache_frames.py').read_text().split())
    assert f'{len(frames)} videos and {total:,} frames'.replace(',', ' ') in text
    assert f'takes {total * 230400 / 1e9:.0f} GB' in text
    assert f'takes {train * 230400 / 1e9:.0f} GB' in text
