import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from ssvad.datasets import frame_reader
from ssvad.datasets.frame_reader import (
    VideoReadError,
    count_frames,
    iter_frames,
    read_frames,
)
from ssvad.video_io import write_video
from tests.helpers import UCF24_MINI, needs_ucf24_mini

FRAMES, HEIGHT, WIDTH = 60, 48, 64
# name: encoder, key frame every so many, B frames, options, must it be sought in?
FILES = {
    'closed.mp4': ('libx264', 12, 0, {}, True),
    'b_frames.mp4': ('libx264', 15, 3, {'x264-params': 'b-adapt=0'}, True),
    'open_gop.mkv': (
        'libx264',
        10,
        3,
        {'x264-params': 'open-gop=1:b-adapt=0:scenecut=0:min-keyint=1'},
        True,
    ),
    'refresh.mp4': ('libx264', 20, 0, {'x264-params': 'intra-refresh=1'}, False),
    'no_stamps.avi': ('libx264', 25, 3, {'x264-params': 'b-adapt=0'}, False),
    'raw.h264': ('libx264', 12, 0, {}, False),
    'xvid.avi': ('mpeg4', 12, 2, {}, False),
    'xvid.mp4': ('mpeg4', 12, 2, {}, False),
    'mpeg2.mpg': ('mpeg2video', 12, 2, {}, False),
    'motion.avi': ('mjpeg', 1, 0, {}, True),
}


def encode(path, codec, gop, b_frames, options, frames):
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.options = options
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def decode(path):
    """All pictures, from the start."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return np.stack([frame.to_ndarray(format='rgb24') for frame in frames])


@pytest.fixture(scope='module')
def frames():
    """No frame is like another, and what moves makes B frames worth it."""
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (HEIGHT // 4, FRAMES + WIDTH, 3), np.uint8)
    wide = np.kron(wide, np.ones((4, 1, 1), np.uint8))
    return np.stack([wide[:, i : i + WIDTH] for i in range(FRAMES)])


@pytest.fixture(scope='module')
def folder(tmp_path_factory, frames):
    folder = tmp_path_factory.mktemp('videos')
    for name, (codec, gop, b_frames, options, _) in FILES.items():
        encode(folder / name, codec, gop, b_frames, options, frames)
    return folder


def clips(total):
    """Clips of 8 frames everywhere, both ends, repeats and disorder."""
    for start in range(0, total - 14, 3):
        yield start + 2 * np.arange(8)
    yield from ([0], [total - 1], range(total - 8, total), range(total))
    yield [5, 5, total - 1, 0, 17, 17, 5]


@pytest.mark.parametrize('name', FILES)
def test_frames_are_those_of_decoding_from_the_start(folder, name):
    expected = decode(folder / name)
    assert len(expected) == count_frames(str(folder / name)) == FRAMES
    for inds in clips(FRAMES):
        inds = np.array(inds)
        seen = read_frames(str(folder / name), inds, FRAMES)
        assert seen.dtype == np.uint8 and np.array_equal(seen, expected[inds]), inds
    seen = read_frames(str(folder / name), inds, FRAMES, num_threads=2)
    assert np.array_equal(seen, expected[inds])
    assert np.array_equal(np.stack(list(iter_frames(str(folder / name)))), expected)


@pytest.mark.parametrize('name', FILES)
def test_only_pictures_from_the_key_frame_on_are_decoded(folder, name, monkeypatch):
    collect, numbers = frame_reader._collect, []

    def note(frames, places):
        for number, frame in frames:
            numbers.append(number)
            yield number, frame

    monkeypatch.setattr(
        frame_reader,
        '_collect',
        lambda frames, places: collect(note(frames, places), places),
    )
    read_frames(str(folder / name), np.arange(40, 56, 2), FRAMES)
    _, gop, _, _, sought = FILES[name]
    assert numbers[-1] == 54
    assert (0 not in numbers and numbers[0] > 40 - gop) if sought else 0 in numbers


def test_a_picture_left_out_shifts_the_rest(frames, tmp_path):
    """XviD marks a frame as 'not coded'; decoders give nothing for it."""
    encode(tmp_path / 'plain.avi', 'mpeg4', 12, 0, {}, frames)
    path = tmp_path / 'left_out.avi'
    with (
        av.open(str(tmp_path / 'plain.avi')) as source,
        av.open(str(path), 'w') as container,
    ):
        stream = container.add_stream('mpeg4', rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, 'yuv420p'
        extradata = source.streams.video[0].codec_context.extradata
        stream.codec_context.extradata = extradata
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            # picture 5 becomes a P picture that is not coded; its time takes 5 bits
            not_coded = b'\0\0\1\xb6\x52\xcf'
            copy = av.Packet(not_coded if number == 5 else bytes(packet))
            copy.pts = copy.dts = number
            copy.time_base, copy.stream = Fraction(1, 25), stream
            copy.is_keyframe = packet.is_keyframe
            container.mux(copy)
    expected = decode(path)
    assert len(expected) == FRAMES - 1
    inds = np.arange(40, 56, 2)
    assert np.array_equal(read_frames(str(path), inds, FRAMES), expected[inds])
    with pytest.raises(VideoReadError, match='frames 59 to 59: .* end after 59'):
        read_frames(str(path), np.array([59]), FRAMES)


def test_pictures_cut_off_by_an_edit_list_do_not_count(folder, tmp_path):
    path = tmp_path / 'cut.mp4'
    cut = {'avoid_negative_ts': 'disabled'}
    with av.open(str(folder / 'closed.mp4')) as source:
        with av.open(str(path), 'w', container_options=cut) as target:
            (whole,) = source.streams.video
            stream = target.add_stream_from_template(whole)
            for packet in source.demux(whole):
                if packet.dts is not None:
                    packet.pts -= 5 * packet.duration
                    packet.dts -= 5 * packet.duration
                    packet.stream = stream
                    target.mux(packet)
    expected = decode(folder / 'closed.mp4')[5:]
    assert np.array_equal(decode(path), expected)
    assert count_frames(str(path)) == len(expected)
    inds = np.arange(30, 46, 2)
    seen = read_frames(str(path), inds, len(expected))
    assert np.array_equal(seen, expected[inds])


def test_pictures_lying_on_their_side_are_turned_upright(tmp_path, frames):
    write_video(tmp_path / 'a.mp4', frames[:5])
    data = (tmp_path / 'a.mp4').read_bytes()
    upright = struct.pack('>9i', 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30)
    place = data.index(upright, data.index(b'tkhd'))
    path = tmp_path / 'turned.mp4'
    path.write_bytes(data[:place] + turned + data[place + len(turned) :])
    seen = read_frames(str(path), np.array([3]), 5)[0]
    # a quarter turn clockwise: what was left is at the top
    assert seen.shape == (WIDTH, HEIGHT, 3)
    assert np.array_equal(seen, np.rot90(decode(tmp_path / 'a.mp4')[3], -1))


def test_a_title_in_another_alphabet_is_no_obstacle(tmp_path, frames):
    path = tmp_path / 'titled.mp4'
    with av.open(str(path), 'w') as container:
        container.metadata['title'] = 'abcdefgh'
        stream = container.add_stream('libx264', rate=25)
        stream.height, stream.width = HEIGHT, WIDTH
        picture = av.VideoFrame.from_ndarray(frames[0], format='rgb24')
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert data.count(b'abcdefgh') == 1
    path.write_bytes(data.replace(b'abcdefgh', b'caf\xe9 \xe9\xe9\xe9'))
    assert read_frames(str(path), np.array([0]), 1).shape == (1, HEIGHT, WIDTH, 3)


def test_what_cannot_be_asked_for(folder, tmp_path):
    path = str(folder / 'closed.mp4')
    with pytest.raises(ValueError, match='frames count from 0, got -1'):
        read_frames(path, np.array([3, -1]), FRAMES)
    with pytest.raises(VideoReadError, match='frames 2 to 60: .* end after 60'):
        read_frames(path, np.array([2, 60]), FRAMES)
    with pytest.raises(VideoReadError, match='frames 60 to 60: .* end after 60'):
        read_frames(path, np.array([60]), FRAMES)
    sound = tmp_path / 'sound.wav'
    with av.open(str(sound), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), format='s16', layout='mono'
        )
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    with pytest.raises(VideoReadError, match='sound.wav: cannot open: no video'):
        read_frames(str(sound), np.array([0]), 1)


@pytest.mark.slow
@needs_ucf24_mini
def test_frames_of_the_real_clips_are_exact():
    paths = sorted((UCF24_MINI / 'rgb-videos').glob('*/*.mp4'))
    assert len(paths) == 6
    for path in paths:
        expected = decode(path)
        for inds in clips(len(expected)):
            inds = np.array(inds)
            seen = read_frames(str(path), inds, len(expected))
            assert np.array_equal(seen, expected[inds]), (path, inds)
