"""Folders of pictures as videos: the same frames, the same errors."""

import os

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from PIL import Image

from ssvad.datasets import frame_folder, unreadable
from ssvad.datasets.frame_cache import FrameCacheError, read_cache, write_cache
from ssvad.datasets.frame_reader import count_frames, iter_frames, read_frames
from ssvad.datasets.unreadable import VideoReadError
from ssvad.datasets.video_decode import OpenVideo
from ssvad.video_io import write_video

FRAMES, HEIGHT, WIDTH = 12, 24, 32


def pictures(count=FRAMES, height=HEIGHT, width=WIDTH):
    """Noise, smoothed so that JPEG has something to do."""
    noise = np.random.default_rng(0).integers(0, 256, (count, height, width, 3))
    return [cv2.GaussianBlur(np.uint8(frame), (5, 5), 1) for frame in noise]


def write_folder(folder, tmpl='{:05}.png', first=1, **size):
    """Write pictures; returns them as OpenCV reads them, RGB."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = []
    for number, frame in enumerate(pictures(**size), first):
        path = str(folder / tmpl.format(number))
        assert cv2.imwrite(path, frame)
        seen.append(cv2.imread(path)[..., ::-1])
    return np.stack(seen)


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / 'v')
    return tmp_path / 'v'


@pytest.mark.parametrize(
    'tmpl, first',
    [
        ('{:05}.png', 1),
        ('img_{:05}.jpg', 1),
        ('{}.jpeg', 0),
        ('v2_{}.BMP', 1),
        ('a 7 é{:02}.webp', 0),
    ],
)
def test_frames_are_those_of_opencv_by_every_way_of_reading(tmp_path, tmpl, first):
    expected = write_folder(tmp_path / 'v.d', tmpl, first)
    for name in ('._' + tmpl.format(3), 'Thumbs.db', 'notes.txt', 'cover.jpg'):
        (tmp_path / 'v.d' / name).write_text('no frame')
    (tmp_path / 'v.d/.AppleDouble').mkdir()
    named = [str(tmp_path / 'v.d'), str(tmp_path / 'v.d' / tmpl.replace('{}', '{:d}'))]
    inds = np.array([11, 0, 5, 5, 9])
    write_cache(tmp_path / 'cache', 'v', named[0], FRAMES)
    for name in named:
        assert count_frames(name) == FRAMES
        assert np.array_equal(np.stack(list(iter_frames(name))), expected)
        frames = read_frames(name, inds, FRAMES)
        assert frames.dtype == np.uint8 and np.array_equal(frames, expected[inds])
        cached = read_cache(tmp_path / 'cache', 'v', name, FRAMES)
        assert np.array_equal(cached, expected)
        results = dict(filename=name, total_frames=FRAMES, frame_inds=inds)
        results = TRANSFORMS.build(dict(type='DecordDecode'))(OpenVideo()(results))
        assert np.array_equal(np.stack(results['imgs']), expected[inds])


def test_only_the_frames_asked_for_are_opened(folder, monkeypatch):
    load, opened = frame_folder._load, []
    monkeypatch.setattr(
        frame_folder, '_load', lambda path: opened.append(path) or load(path)
    )
    read_frames(str(folder), np.array([7, 2, 7]), FRAMES)
    assert [os.path.basename(path) for path in opened] == ['00003.png', '00008.png']
    assert count_frames(str(folder)) == FRAMES and len(opened) == 2
    next(iter_frames(str(folder)))
    assert len(opened) == 3


def remove(*numbers):
    def harm(folder):
        for number in numbers:
            (folder / f'{number:05}.png').unlink()

    return harm


def add(name):
    return lambda folder: (folder / name).write_bytes(b'')


def clear(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    'harm, message',
    [
        (remove(4, 5), r'v: frames 4 to 5 are missing before 00006\.png'),
        (remove(1), r'v: frames 1 to 1 are missing before 00002\.png'),
        (add('5.png'), r'v: (00005|5)\.png and (5|00005)\.png are one frame'),
        (add('flow_1.png'), r'v: .* got \*\.png, flow_\*\.png; .*filename_tmpl='),
        (add('00013.jpg'), r'v: .* got \*\.jpg, \*\.png'),
        (clear, r'v: no frames: expected pictures named by their number'),
    ],
)
def test_what_is_no_series_is_refused_with_the_names(folder, harm, message):
    harm(folder)
    for read in (
        count_frames,
        lambda name: next(iter_frames(name)),
        lambda name: read_frames(name, np.array([0]), 1),
    ):
        with pytest.raises(VideoReadError, match=message):
            read(str(folder))


def test_a_template_tells_one_series_from_others(tmp_path):
    for kind in ('flow_x', 'flow_y', 'img'):
        frames = write_folder(tmp_path / 'v', kind + '_{:05d}.jpg')
    name = str(tmp_path / 'v/img_{:05}.jpg')
    assert np.array_equal(np.stack(list(iter_frames(name))), frames)
    with pytest.raises(VideoReadError, match=r'v: no frames: .* rgb_\{:05\}\.jpg'):
        count_frames(str(tmp_path / 'v/rgb_{:05}.jpg'))
    with pytest.raises(VideoReadError, match='no such file or folder'):
        count_frames(str(tmp_path / 'w/img_{:05}.jpg'))
    write_video(tmp_path / 'v/{:05}.mp4', np.zeros((3, 24, 32, 3), np.uint8))
    assert count_frames(str(tmp_path / 'v/{:05}.mp4')) == 3


def test_lengths_and_places(folder):
    assert len(read_frames(str(folder), np.array([11]), 5)) == 1
    with pytest.raises(VideoReadError, match='annotation has 13 .* the video only 12'):
        read_frames(str(folder), np.array([0]), 13)
    with pytest.raises(VideoReadError, match='frame 12: they end after 12'):
        read_frames(str(folder), np.array([12]), 12)
    with pytest.raises(ValueError, match='count from 0, got -1'):
        read_frames(str(folder), np.array([-1]), 12)


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_size(path):
    cv2.imwrite(str(path), pictures(1, 20, 30)[0])


@pytest.mark.parametrize('suffix', ['png', 'jpg'])
@pytest.mark.parametrize(
    'harm, message',
    [
        (half, 'cannot read this picture: .*[Tt]runcated'),
        (lambda path: path.write_bytes(b''), 'cannot read this picture'),
        (lambda path: path.write_bytes(bytes(500)), 'cannot read this picture'),
        (lambda path: path.write_text('not one'), 'cannot read this picture'),
        (other_size, r'is 30 x 20 .*00001.\w+ is 32 x 24'),
    ],
)
def test_an_unreadable_frame_is_named(tmp_path, suffix, harm, message):
    write_folder(tmp_path / 'v', '{:05}.' + suffix)
    harm(tmp_path / f'v/00004.{suffix}')
    name = str(tmp_path / 'v')
    with pytest.raises(VideoReadError, match=rf'00004\.{suffix}: {message}'):
        list(iter_frames(name))
    with pytest.raises(VideoReadError, match=rf'00004\.{suffix}: {message}'):
        read_frames(name, np.array([0, 3]), FRAMES)
    read_frames(name, np.array([0, 4]), FRAMES)


@settings(max_examples=60)
@given(data=st.data(), suffix=st.sampled_from(['png', 'jpg', 'bmp', 'webp']))
def test_damaged_pictures_give_frames_or_a_named_error(tmp_path_factory, data, suffix):
    folder = tmp_path_factory.mktemp('v')
    write_folder(folder, '{:05}.' + suffix, count=1)
    path = folder / f'00001.{suffix}'
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(content), 90) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert next(iter_frames(str(folder))).ndim == 3
    except VideoReadError as error:
        assert '00001' in str(error)


def test_a_gigantic_picture_is_refused_before_it_is_decoded(folder, monkeypatch):
    monkeypatch.setattr(unreadable, 'MAX_PIXELS', WIDTH * HEIGHT - 1)
    monkeypatch.setattr(Image.Image, 'convert', None)
    with pytest.raises(VideoReadError, match='00001.png: pictures of 32 x 24 pixels'):
        next(iter_frames(str(folder)))


def test_pictures_lying_on_their_side_and_of_other_modes(tmp_path):
    upright = Image.fromarray(pictures(1)[0])
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    upright.save(tmp_path / '1.png', exif=exif)
    frame = next(iter_frames(str(tmp_path)))
    assert np.array_equal(frame, np.rot90(np.asarray(upright), -1))
    cv2.imwrite(str(tmp_path / '1.png'), np.full((5, 5), 1000, np.uint16))
    with pytest.raises(VideoReadError, match='1.png: expected 8 bits a colour'):
        next(iter_frames(str(tmp_path)))
    for mode in ('L', 'P', 'RGBA'):
        upright.convert(mode).save(tmp_path / '1.png')
        frame = next(iter_frames(str(tmp_path)))
        assert np.array_equal(frame, cv2.imread(str(tmp_path / '1.png'))[..., ::-1])


def test_a_changed_folder_is_not_taken_from_the_cache(folder, tmp_path):
    write_cache(tmp_path / 'cache', 'v', str(folder), FRAMES)
    stamps = os.stat(folder / '00003.png')
    for harm in (
        lambda path: os.utime(path, (2e9, 2e9)),
        lambda path: (half(path), os.utime(path, (stamps.st_atime, stamps.st_mtime))),
    ):
        harm(folder / '00003.png')
        with pytest.raises(FrameCacheError, match='made from another version of .*v, '):
            read_cache(tmp_path / 'cache', 'v', str(folder), FRAMES)
    remove(3)(folder)
    with pytest.raises(VideoReadError, match='frames 3 to 3 are missing'):
        write_cache(tmp_path / 'cache', 'v', str(folder), FRAMES)
    with pytest.raises(VideoReadError, match='frames 3 to 3 are missing'):
        read_cache(tmp_path / 'cache', 'v', str(folder), FRAMES)
