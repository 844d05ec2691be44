"""Pictures that would take more memory than there is are refused, not decoded."""

import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest

from ssvad.datasets import unreadable
from ssvad.datasets.frame_reader import (
    VideoReadError,
    count_frames,
    iter_frames,
    read_frames,
)
from tests.datasets.test_frame_reader import FILES, decode, encode


def readers(name, total):
    yield lambda: next(iter_frames(name))
    yield lambda: read_frames(name, np.array([0]), total)


@pytest.mark.parametrize('side', [10_000, 20_000, 65_520])
def test_what_only_the_container_claims_is_ignored(tmp_path, side):
    path = tmp_path / 'v.webm'
    black = np.zeros((3, 256, 320, 3), np.uint8)
    encode(path, 'libvpx', 12, 0, {}, black)
    expected, data = decode(path), path.read_bytes()
    for element, length in ((b'\xb0', 320), (b'\xba', 256)):
        old = element + b'\x82' + struct.pack('>H', length)
        assert data.count(old) == 1
        data = data.replace(old, element + b'\x82' + struct.pack('>H', side))
    path.write_bytes(data)
    assert np.array_equal(np.stack(list(iter_frames(str(path)))), expected)
    assert count_frames(str(path)) == 3


@pytest.mark.parametrize('name', [*FILES, 'vp8.webm', 'vp9.webm'])
def test_pictures_above_the_limit_are_refused_by_name(tmp_path, monkeypatch, name):
    others = {'vp8.webm': 'libvpx', 'vp9.webm': 'libvpx-vp9'}
    codec, gop, b_frames, options, _ = FILES.get(
        name, (others.get(name), 12, 0, {}, None)
    )
    path = str(tmp_path / name)
    encode(path, codec, gop, b_frames, options, np.zeros((5, 48, 64, 3), np.uint8))
    # some decoders count the edges that they add
    for limit, refused in ((2**20, False), (64 * 48 - 1, True)):
        monkeypatch.setattr(unreadable, 'MAX_PIXELS', limit)
        for read in readers(path, 5):
            if refused:
                with pytest.raises(VideoReadError, match=rf'{name}: .* {limit} pixels'):
                    read()
            else:
                assert read().shape[-3:] == (48, 64, 3)


def png(width, height):
    """A black PNG; how large it is shows only when it is decoded."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    size = struct.pack('>II5B', width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + width) * height), 1)
    chunks = chunk(b'IHDR', size) + chunk(b'IDAT', rows) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + chunks


@pytest.mark.parametrize('place', [0, 2])
def test_a_gigantic_picture_within_a_video_is_refused(tmp_path, monkeypatch, place):
    monkeypatch.setattr(unreadable, 'MAX_PIXELS', 1000 * 1000)
    path, packets = tmp_path / 'v.mov', [png(64, 48)] * 4
    packets[place] = png(1001, 1000)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('png', rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'gray'
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            packet.is_keyframe = True
            container.mux(packet)
    frames = iter_frames(str(path))
    for _ in range(place):
        next(frames)
    with pytest.raises(VideoReadError, match=rf'v\.mov: .* beyond frame {place}'):
        next(frames)
    with pytest.raises(VideoReadError, match=r'v\.mov: .* than 1000000 pixels'):
        read_frames(str(path), np.array([place]), 4)
