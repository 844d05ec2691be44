"""Videos, folders of pictures and frame caches of strangers.

A decoder conceals damage, so a flipped bit may change pictures unseen; what must hold
is that as many frames come as were asked for, all of one size, and no more.
"""

import json

import cv2
import numpy as np
import pytest
from hypothesis import strategies as st

from ssvad.datasets.frame_cache import read_cache, write_cache
from ssvad.datasets.frame_reader import count_frames, iter_frames, read_frames
from ssvad.video_io import write_video
from tests.datasets.test_frame_reader import encode
from tests.fuzz.mutations import damaged, fuzz, json_bytes, spoilt
from tests.fuzz.sandbox import attempt

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3), np.uint8)
KINDS = ['mp4', 'avi', 'webm']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


@pytest.fixture(scope='module')
def videos(folder):
    write_video(folder / 'whole.mp4', PICTURES)
    encode(folder / 'whole.avi', 'mpeg4', 3, 0, {}, PICTURES)
    encode(folder / 'whole.webm', 'libvpx', 3, 0, {}, PICTURES)
    return {kind: (folder / f'whole.{kind}').read_bytes() for kind in KINDS}


def every_way(name):
    """Shapes of all that can be read of a video; a bound on endless ones."""
    total = count_frames(name)
    frames = read_frames(name, np.array([0, min(total, 6) - 1]), 1)
    shapes = {frame.shape for frame, _ in zip(iter_frames(name), range(2000))}
    return total, frames.shape, shapes


def read_video(reader, path):
    found = attempt(reader, every_way, [str(path)], path.name)
    if found is not None:
        total, shape, shapes = found
        assert total > 0 and len(shape) == 4 and shape[0] == 2 and shape[3] == 3
        assert len(shapes) == 1 and min(shape) > 0


@pytest.mark.parametrize('kind', KINDS)
@fuzz(20, data=st.data())
def test_videos_of_other_bytes(folder, videos, kind, data):
    path = folder / f'v.{kind}'
    path.write_bytes(data.draw(damaged(videos[kind])))
    read_video(f'video {kind}', path)


@pytest.fixture(scope='module')
def pictures(folder):
    series = folder / 'series'
    series.mkdir()
    for number, picture in enumerate(PICTURES[:3]):
        for kind in ('png', 'jpg', 'bmp', 'webp'):
            cv2.imwrite(str(folder / f'{number}.{kind}'), picture)
        cv2.imwrite(str(series / f'{number}.png'), picture)
    return series


@pytest.mark.parametrize('kind', ['png', 'jpg', 'bmp', 'webp'])
@fuzz(20, data=st.data())
def test_pictures_of_other_bytes(folder, pictures, kind, data):
    for old in pictures.iterdir():
        old.unlink()
    for number in range(3):
        raw = (folder / f'{number}.{kind}').read_bytes()
        raw = data.draw(damaged(raw)) if number == 1 else raw
        (pictures / f'{number}.{kind}').write_bytes(raw)
    found = attempt('frame folder', frames_of, [str(pictures)], pictures.name)
    if found is not None:
        assert found.shape == (3, 32, 48, 3)
        # its chunks have checksums, so that what is read is what was written
        assert kind != 'png' or np.array_equal(found[..., ::-1], PICTURES[:3])


def frames_of(name):
    return np.stack(list(iter_frames(name)))


@fuzz(
    40,
    names=st.lists(
        st.from_regex(r'\A(img_|a)?[0-9]{1,6}\.(png|PNG|jpg)\Z')
        | st.sampled_from(['0.png', '1.png', '2.png', '٣.png', '9' * 200 + '.png']),
        max_size=4,
        unique=True,
    ),
)
def test_names_in_a_folder(folder, names):
    series = folder / 'names'
    series.mkdir(exist_ok=True)
    for old in series.iterdir():
        old.unlink()
    for name in names:
        (series / name).touch()
    frames = [name for name in names if name.isascii()]
    found = attempt('frame folder', count_frames, [str(series)], series.name)
    assert found in (None, len(frames))


@pytest.fixture(scope='module')
def cache(folder, videos):
    write_cache(folder / 'cache', 'v', str(folder / 'whole.mp4'), 6)
    path = folder / 'cache/v.npy'
    return path, path.read_bytes(), path.with_suffix('.json').read_bytes()


def cached(cache_dir, filename, total):
    return np.array(read_cache(cache_dir, 'v', filename, total))


def read_again(folder):
    args = folder / 'cache', str(folder / 'whole.mp4'), 6
    found = attempt('frame cache', cached, args, 'v.npy', 'whole.mp4')
    assert found is None or (found.shape[1:] == (32, 48, 3) and len(found) >= 6)
    assert found is None or found.dtype == np.uint8


@fuzz(60, data=st.data())
def test_cached_frames_of_other_bytes(folder, cache, data):
    path, raw, notes = cache
    path.with_suffix('.json').write_bytes(notes)
    path.write_bytes(data.draw(damaged(raw[:200])) + raw[200:])
    read_again(folder)


@fuzz(60, data=st.data())
def test_notes_of_a_cache(folder, cache, data):
    path, raw, notes = cache
    path.write_bytes(raw)
    tree = data.draw(spoilt(json.loads(notes)))
    path.with_suffix('.json').write_bytes(
        data.draw(st.just(json_bytes(tree)) | damaged(notes))
    )
    read_again(folder)
