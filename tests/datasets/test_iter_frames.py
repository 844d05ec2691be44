import struct
import wave

import av
import decord
import numpy as np
import pytest

from ssvad.datasets.frame_reader import VideoReadError, iter_frames
from ssvad.video_io import write_video
from tests.apis.videos import encode, noise
from tests.helpers import UCF24_MINI, needs_ucf24_mini


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('videos')
    write_video(path / 'whole.mp4', noise(30))
    data = (path / 'whole.mp4').read_bytes()
    start = data.index(b'mdat') + 4
    broken = dict(
        empty=b'',
        text=b'not a video\n' * 50,
        zeros=bytes(5000),
        half=data[: len(data) // 2],
        # the index at the end is whole, the pictures are not
        garbled=data[: start + 300] + bytes(400) + data[start + 700 :],
    )
    for name, content in broken.items():
        (path / f'{name}.mp4').write_bytes(content)
    (path / 'still.y4m').write_bytes(b'YUV4MPEG2 W64 H48 F25:1 C420\n')
    with wave.open(str(path / 'sound.wav'), 'wb') as sound:
        sound.setnchannels(1), sound.setsampwidth(1), sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    return path


def read_all(path):
    return np.stack(list(iter_frames(str(path))))


def decord_frames(path):
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(range(len(reader))).asnumpy()


def test_frames_are_those_of_training_and_evaluation(folder):
    frames = read_all(folder / 'whole.mp4')
    assert frames.shape == (30, 48, 64, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames, decord_frames(folder / 'whole.mp4'))
    assert np.abs(frames - noise(30).astype(int)).mean() < 10
    assert np.array_equal(frames, read_all(str(folder / 'whole.mp4')))


@pytest.mark.slow
@needs_ucf24_mini
def test_real_clips_have_the_same_frames_too():
    paths = sorted((UCF24_MINI / 'rgb-videos').rglob('*.mp4'))
    assert paths
    for path in paths:
        assert np.array_equal(read_all(path), decord_frames(path)), path


@pytest.mark.parametrize(
    'name, reason',
    [
        ('gone.mp4', 'no such file'),
        ('', 'no frames: expected pictures'),
        ('empty.mp4', 'cannot open: Invalid data'),
        ('text.mp4', 'cannot open: Invalid data'),
        ('zeros.mp4', 'cannot open'),
        ('half.mp4', 'cannot open: Invalid data'),
        ('garbled.mp4', r'cannot decode beyond frame \d+: Invalid data'),
        ('sound.wav', 'cannot open: no video stream'),
        ('still.y4m', 'has no frames'),
    ],
)
def test_unreadable_videos_are_named(folder, name, reason):
    with pytest.raises(VideoReadError, match=f'{name}: {reason}'):
        list(iter_frames(str(folder / name)))


def test_nothing_is_decoded_before_it_is_asked_for(tmp_path):
    path = tmp_path / 'late.mp4'
    encode(path, noise(60), tune='zerolatency')
    data = path.read_bytes()
    cut = len(data) // 2
    path.write_bytes(data[:cut] + bytes(400) + data[cut + 400 :])
    frames = iter_frames(str(path))
    for _ in range(10):
        next(frames)
    with pytest.raises(VideoReadError, match=r'late.mp4: cannot decode beyond frame'):
        list(frames)


def packet_ends(path):
    with av.open(str(path)) as container:
        return [p.pos + p.size for p in container.demux(video=0) if p.size]


def test_a_file_that_ends_between_two_frames_is_cut(tmp_path):
    path = tmp_path / 'download.mp4'
    encode(path, noise(40), container_options=dict(movflags='faststart'))
    assert len(read_all(path)) == 40
    data, ends = path.read_bytes(), packet_ends(path)
    for kept in (38, 20):
        path.write_bytes(data[: ends[kept - 1]])
        with pytest.raises(
            VideoReadError, match=f'download.mp4: is cut: .* 40 .* {kept}$'
        ):
            list(iter_frames(str(path)))


def test_frames_hidden_by_an_edit_list_are_no_cut(tmp_path):
    path = tmp_path / 'trimmed.mp4'
    encode(path, noise(60), bf='2')
    data = bytearray(path.read_bytes())
    at = data.index(b'elst') + 12
    length, start = struct.unpack('>Ii', data[at : at + 8])
    assert length == 2400  # milliseconds
    data[at : at + 8] = struct.pack('>Ii', 1000, start + 20 * 512)
    path.write_bytes(data)
    assert len(read_all(path)) == 25


@pytest.mark.skipif(
    not hasattr(av.VideoFrame, 'rotation'), reason='PyAV does not tell the rotation'
)
@pytest.mark.parametrize(
    'matrix, turns',
    [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1), ((1, 0, 0, 1), 0)],
)
def test_turned_videos_come_upright(folder, tmp_path, matrix, turns):
    data = bytearray((folder / 'whole.mp4').read_bytes())
    at = data.index(b'tkhd') + 44
    a, b, c, d = (value << 16 for value in matrix)
    assert struct.unpack('>5i', data[at : at + 20]) == (1 << 16, 0, 0, 0, 1 << 16)
    data[at : at + 20] = struct.pack('>5i', a, b, 0, c, d)
    (tmp_path / 'phone.mp4').write_bytes(data)
    plain = read_all(folder / 'whole.mp4')
    turned = read_all(tmp_path / 'phone.mp4')
    assert np.array_equal(turned, np.rot90(plain, turns, (1, 2)))
