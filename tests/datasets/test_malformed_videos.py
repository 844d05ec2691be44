"""Videos as they are found: what each kind gives, and where it is tested.

=====================  =================================================================
missing                test_video_decode, test_iter_frames, test_frame_cache, here
empty, text, zeros     test_video_decode, test_iter_frames, here
truncated, damaged     test_video_decode, test_iter_frames, here
header: frame count    here
header: gigantic size  test_gigantic_pictures, test_frame_folder
shorter than a clip    here, test_clip_sampling
one frame              here
variable frame rate    here
rotated                test_frame_reader, test_iter_frames, here (annotated size)
odd size               here
no picture, only sound test_frame_reader, test_iter_frames, here
unicode, odd names     here, test_video_folder
pictures left out, B   test_frame_reader
frames, edit lists
raw stream with a      here (real clip), test_video_decode
misleading name
folders of pictures    test_frame_folder, test_frame_folder_datasets
skipping them          test_skipping
=====================  =================================================================
"""

import os
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from ssvad.annotations import save_annotations
from ssvad.datasets import CountFrames, VideoFolder
from ssvad.datasets.frame_cache import read_cache, write_cache
from ssvad.datasets.frame_reader import (
    VideoReadError,
    count_frames,
    iter_frames,
    read_frames,
)
from ssvad.video_io import write_video
from tests.datasets.test_frame_reader import decode, encode
from tests.helpers import UCF24_MINI, needs_ucf24_mini

FRAMES, HEIGHT, WIDTH = 20, 48, 64


def noise(count=FRAMES, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, 3), np.uint8)


def check_every_way(path, expected, folder):
    """All ways of reading give these frames."""
    path, total = str(path), len(expected)
    assert count_frames(path) == total
    assert np.array_equal(np.stack(list(iter_frames(path))), expected)
    inds = np.array([total - 1, 0, total // 2, 0])
    assert np.array_equal(read_frames(path, inds, total), expected[inds])
    write_cache(folder / 'cache', 'v', path, total)
    assert np.array_equal(read_cache(folder / 'cache', 'v', path, total), expected)
    (folder / 'png').mkdir()
    for number, frame in enumerate(expected, 1):
        cv2.imwrite(str(folder / f'png/{number:04}.png'), frame[..., ::-1])
    assert np.array_equal(np.stack(list(iter_frames(str(folder / 'png')))), expected)


def clip_of(folder, **sampling):
    """An unlabelled clip of the only video in a folder."""
    pipeline = [
        dict(type='CountFrames'),
        dict(type='SampleTubeClip', trimmed=False, **sampling),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        return VideoFolder(pipeline, dict(video=str(folder)))[0]


@pytest.mark.parametrize('codec', ['mpeg4', 'mjpeg', 'libx264'])
@pytest.mark.parametrize('count', [0, 5, 10**6, 2**32 - 1])
def test_the_number_of_frames_in_the_header_is_not_believed(tmp_path, codec, count):
    path = tmp_path / 'v.avi'
    encode(path, codec, 12, 0, {}, noise())
    expected, data = decode(path), bytearray(path.read_bytes())
    for at in (data.index(b'avih') + 24, data.index(b'strh') + 40):
        assert data[at : at + 4] == struct.pack('<I', FRAMES)
        data[at : at + 4] = struct.pack('<I', count)
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == count
    check_every_way(path, expected, tmp_path)


@pytest.mark.parametrize('count', [0, 10**6, 2**31])
def test_an_index_of_absurd_length_is_named(tmp_path, count):
    path = tmp_path / 'v.mp4'
    write_video(path, noise())
    data = bytearray(path.read_bytes())
    at = data.index(b'stsz') + 12
    data[at : at + 4] = struct.pack('>I', count)
    path.write_bytes(data)
    for read in (count_frames, lambda name: list(iter_frames(name))):
        with pytest.raises(VideoReadError, match=r'v\.mp4: (has no frames|cannot)'):
            read(str(path))
    with pytest.raises(VideoReadError, match=r'v\.mp4: (the annotation has|cannot)'):
        read_frames(str(path), np.array([3]), FRAMES)


@pytest.mark.parametrize('total', [1, 3, 7])
def test_videos_shorter_than_a_clip_repeat_their_last_frame(tmp_path, total):
    path = tmp_path / 'videos/v.mp4'
    write_video(path, noise(total))
    expected = decode(path)
    check_every_way(path, expected, tmp_path)
    clip = np.stack(clip_of(tmp_path / 'videos', clip_len=8)['imgs'])
    last = [expected[-1:]] * (8 - total)
    assert np.array_equal(clip, np.concatenate([expected, *last]))


def test_a_variable_frame_rate_changes_nothing(tmp_path):
    """Frames are counted, not timed."""
    path = tmp_path / 'v.mp4'
    stamps = np.cumsum(np.random.default_rng(0).integers(1, 40, FRAMES))
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.codec_context.time_base = Fraction(1, 100)
        stream.codec_context.gop_size = 5
        for stamp, frame in zip(stamps, noise()):
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            picture.pts, picture.time_base = int(stamp), Fraction(1, 100)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(set(np.round(np.diff(times), 3))) > 5
    check_every_way(path, decode(path), tmp_path)


@pytest.mark.parametrize('height, width', [(47, 63), (48, 63), (1, 3)])
@pytest.mark.parametrize('codec', ['ffv1', 'png'])
def test_odd_sizes(tmp_path, codec, height, width):
    path = tmp_path / 'v.avi'
    frames = noise(5, height, width)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = width, height
        stream.pix_fmt = 'bgr0' if codec == 'ffv1' else 'rgb24'
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    check_every_way(path, frames, tmp_path)


def test_a_turned_video_is_annotated_as_players_show_it(tmp_path):
    path = tmp_path / 'v.mp4'
    write_video(path, noise())
    plain, data = decode(path), bytearray(path.read_bytes())
    at = data.index(b'tkhd') + 44
    one = 1 << 16
    assert struct.unpack('>5i', data[at : at + 20]) == (one, 0, 0, 0, one)
    data[at : at + 20] = struct.pack('>5i', 0, one, 0, -one, 0)
    path.write_bytes(data)
    check_every_way(path, np.rot90(plain, -1, (1, 2)), tmp_path)
    pipeline = [
        dict(type='SampleTubeClip', trimmed=False),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
        dict(type='TubesToMask'),
    ]

    def load(width, height):
        tube = dict(label=0, start=0, boxes=[[0, 0, 10, 40]] * FRAMES)
        size = dict(width=width, height=height, num_frames=FRAMES)
        video = dict(id='v', file='v.mp4', tubes=[tube], **size)
        save_annotations(tmp_path / 'a.json', ['x'], [video])
        ann, prefix = str(tmp_path / 'a.json'), dict(video=str(tmp_path))
        cfg = dict(ann_file=ann, data_prefix=prefix, pipeline=pipeline)
        with DefaultScope.overwrite_default_scope('mmaction'):
            return DATASETS.build(dict(type='TubeDataset', **cfg))[0]

    item = load(HEIGHT, WIDTH)  # width and height change places
    assert item['original_shape'] == (WIDTH, HEIGHT)
    assert item['gt_mask'][0, :40, :10].all() and item['gt_mask'][0].sum() == 400
    with pytest.raises(ValueError, match=r'v\.mp4: frames are 48x64.*for 64x48'):
        load(WIDTH, HEIGHT)


@pytest.mark.parametrize('name', ['vidéo 動画.mp4', 'a\'b"c %d {x}.mp4', '-v;#?.mp4'])
def test_unicode_and_odd_names(tmp_path, name):
    path = tmp_path / name
    write_video(path, noise(5))
    check_every_way(path, decode(path), tmp_path)
    with pytest.raises(VideoReadError) as error:
        read_frames(str(path), np.array([0]), 6)
    assert name in str(error.value)


KINDS = ['missing', 'empty', 'text', 'zeros', 'truncated', 'sound', 'folder']


@pytest.mark.parametrize('kind', KINDS)
def test_none_of_them_becomes_a_clip(tmp_path, kind):
    path = tmp_path / f'{kind}.mp4'
    write_video(path, noise())
    data = path.read_bytes()
    path.unlink()
    if kind == 'missing':
        os.symlink(tmp_path / 'gone', path)
    elif kind == 'folder':
        path.mkdir()
    elif kind == 'sound':
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('aac', rate=8000, layout='mono')
            wave = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), 'fltp', 'mono'
            )
            wave.sample_rate = 8000
            container.mux(stream.encode(wave))
            container.mux(stream.encode(None))
    else:
        contents = dict(empty=b'', text=b'no video\n' * 99, zeros=bytes(5000))
        path.write_bytes(contents.get(kind, data[: len(data) // 2]))
    named = rf'{kind}\.mp4: (no |cannot )'
    with pytest.raises(VideoReadError, match=named):
        read_frames(str(path), np.arange(8), FRAMES)
    with pytest.raises(VideoReadError, match=named):
        list(iter_frames(str(path)))
    with pytest.raises(VideoReadError, match=named):
        CountFrames()(dict(filename=str(path)))


@needs_ucf24_mini
def test_a_raw_stream_has_the_frames_that_opencv_reads_in_order(tmp_path):
    path = UCF24_MINI / 'raw_mpeg4_stream.mp4'
    capture, expected = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        expected.append(read[1][..., ::-1])
    expected = np.stack(expected)
    assert expected.shape == (101, 256, 340, 3)
    check_every_way(path, expected, tmp_path)


@needs_ucf24_mini
def test_what_a_decoder_makes_up_is_no_video(tmp_path):
    path = tmp_path / 'v.mp4'
    data = (UCF24_MINI / 'raw_mpeg4_stream.mp4').read_bytes()
    path.write_bytes(data[:300])
    with av.open(str(path)) as container:
        (frame,) = container.decode(video=0)
    assert frame.to_ndarray(format='rgb24').std() == 0
    with pytest.raises(VideoReadError, match=r'v\.mp4: all its frames are damaged'):
        list(iter_frames(str(path)))
    with pytest.raises(VideoReadError, match=r'v\.mp4: .* all of them are damaged'):
        read_frames(str(path), np.array([0, 0]), 1)
    path.write_bytes(data[:50_000])  # five frames and a part of one
    assert read_frames(str(path), np.array([4, 5]), 6).std() > 10
    assert len(list(iter_frames(str(path)))) == 6
    # an error or two in the middle is what decoders are made for
    path.write_bytes(data[:60_000] + bytes(200) + data[60_200:])
    assert len(list(iter_frames(str(path)))) == 101
    assert read_frames(str(path), np.array([5, 6]), 101).std() > 10
