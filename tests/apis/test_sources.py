from pathlib import Path

import cv2
import numpy as np
import pytest

from ssvad.apis.sources import find_sources
from ssvad.datasets.unreadable import VideoReadError
from ssvad.video_io import write_video
from tests.apis.videos import noise


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three videos, two of one name, a text and a hidden file."""
    for seed, name in enumerate(('a.mp4', 'sub/a.mp4', 'sub/b [1].mp4')):
        write_video(tmp_path / name, noise(4 + seed, seed=seed), fps=10 + seed)
    (tmp_path / 'notes.txt').write_text('no video')
    (tmp_path / '.a.mp4').write_bytes(b'')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def described(inputs):
    return [(s.name, s.fps, s.length) for s in find_sources(inputs)]


A, SUB_A, SUB_B = ('a', 10, 4), ('sub/a', 11, 5), ('sub/b [1]', 12, 6)


def test_files_folders_and_patterns(folder):
    assert described('a.mp4') == described(Path('a.mp4')) == [A]
    assert described(str(folder)) == [A, SUB_A, SUB_B]
    assert described('*.mp4') == [A]
    assert described('**/*') == [A, ('a_2', 11, 5), ('b [1]', 12, 6)]
    # exists, though it looks like a pattern
    assert described('sub/b [1].mp4') == [('b [1]', 12, 6)]
    assert described(['sub', 'a.mp4']) == [
        ('a', 11, 5),
        ('b [1]', 12, 6),
        ('a_2', 10, 4),
    ]


def test_frames_can_be_read_twice(folder):
    (source,) = find_sources('a.mp4')
    first, second = (np.stack(list(source.open())) for _ in range(2))
    assert np.array_equal(first, second) and len(first) == 4
    assert not source.live and source.video == 'a.mp4'


def test_arrays():
    frames = noise(5)
    first, second = find_sources([frames, frames])
    assert np.array_equal(list(first.open()), frames)
    assert (first.name, second.name, first.length) == ('array', 'array_2', 5)
    for wrong in (frames[0], frames[..., :2], frames.astype(float)):
        with pytest.raises(ValueError, match=r'expected frames \(F, h, w, 3\) uint8'):
            find_sources(wrong)


def test_a_folder_of_pictures_is_a_video(tmp_path):
    folder = tmp_path / 'jump'
    folder.mkdir()
    for index, frame in enumerate(noise(11)):
        cv2.imwrite(str(folder / f'img_{index:05}.png'), frame[..., ::-1])
    for given in (folder, folder / 'img_{:05}.png', tmp_path):
        (source,) = find_sources(given)
        assert np.array_equal(list(source.open()), noise(11))
        assert (source.name, source.fps) == ('jump', 25)
    (folder / 'img_00003.png').write_bytes(b'cut')
    with pytest.raises(VideoReadError, match=r'img_00003.png: cannot read'):
        list(source.open())
    # pictures beside videos are no video
    write_video(folder / 'sub/a.mp4', noise(3))
    assert [s.name for s in find_sources(folder)] == ['sub/a']


class Camera:
    """Stands for cv2.VideoCapture."""

    frames, fps, released = noise(6), 30.0, 0

    def __init__(self, index):
        self.index, self.left = index, list(self.frames)

    def isOpened(self):  # noqa: N802
        return self.index == 2

    def get(self, what):
        assert what == cv2.CAP_PROP_FPS
        return self.fps

    def read(self):
        return (True, self.left.pop(0)[..., ::-1]) if self.left else (False, None)

    def release(self):
        type(self).released += 1


def test_cameras(monkeypatch):
    monkeypatch.setattr(cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(Camera, 'released', 0)
    (source,) = find_sources(2)
    assert source.live and source.fps == 30 and source.name == 'camera_2'
    assert np.array_equal(list(source.open()), Camera.frames)
    assert Camera.released == 1
    for fps in (0.0, -1.0, float('nan'), 1e6):
        monkeypatch.setattr(Camera, 'fps', fps)
        assert find_sources(np.int64(2))[0].fps == 25
    with pytest.raises(VideoReadError, match='camera 0: cannot be opened'):
        find_sources(0)
    assert Camera.released == 2


def test_what_is_no_video_is_told(folder):
    with pytest.raises(VideoReadError, match='gone.mp4: no such file or folder'):
        find_sources(['a.mp4', 'gone.mp4'])
    with pytest.raises(ValueError, match=r"'\*.avi': the pattern matches no video"):
        find_sources('*.avi')
    (folder / 'empty').mkdir()
    with pytest.raises(ValueError, match="'empty': no video in this folder"):
        find_sources('empty')
    with pytest.raises(ValueError, match='got an empty list'):
        find_sources([])
    for wrong in (None, 1.5, True):
        with pytest.raises(TypeError, match=f'got {type(wrong).__name__}'):
            find_sources([wrong])


def test_damage_is_named_by_who_reads(folder):
    (source,) = find_sources('notes.txt')
    assert source.length is None and source.fps == 25
    with pytest.raises(VideoReadError, match='notes.txt: cannot'):
        list(source.open())
