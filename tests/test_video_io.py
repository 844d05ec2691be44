import av
import numpy as np
import pytest
from decord import VideoReader

from ssvad.datasets.toy_videos import render_video
from ssvad.video_io import write_video


def smooth_frames(count=31, height=48, width=64):
    """Moving colour waves, (F, H, W, 3) uint8."""
    t, y, x = np.mgrid[:count, :height, :width]
    waves = [np.sin(x / 9 + t / 3), np.cos(y / 7 - t / 4), np.sin((x + y) / 11)]
    return np.uint8(127.5 + 100 * np.stack(waves, axis=-1))


@pytest.mark.parametrize('count,size', [(1, (48, 64)), (31, (48, 64)), (30, (34, 50))])
def test_decord_reads_what_was_written(tmp_path, count, size):
    frames = smooth_frames(count, *size)
    write_video(tmp_path / 'new/a.mp4', frames)
    reader = VideoReader(str(tmp_path / 'new/a.mp4'), num_threads=1)
    assert len(reader) == count
    order = np.random.default_rng(0).permutation(count)
    read = reader.get_batch(order).asnumpy().astype(int)
    errors = abs(read[:, None] - frames[None]).mean((2, 3, 4))
    assert (errors.argmin(1) == order).all()
    # Mostly the halved colour resolution of yuv420p.
    assert errors.min(1).max() < 5
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.mp4']


def test_stream_properties(tmp_path):
    write_video(tmp_path / 'a.mp4', iter(smooth_frames(30)), fps=29.97)
    with av.open(str(tmp_path / 'a.mp4')) as container:
        stream = container.streams.video[0]
        keys = [p.is_keyframe for p in container.demux(stream) if p.size]
        assert stream.codec_context.name == 'h264'
        assert stream.codec_context.pix_fmt == 'yuv420p'
        assert float(stream.average_rate) == pytest.approx(29.97, abs=1e-3)
    assert np.flatnonzero(keys).tolist() == [0, 12, 24]


def test_same_frames_give_the_same_bytes(tmp_path):
    # Noisy pictures: on these the encoder's macroblock tree was not repeatable.
    for index in range(4):
        frames, _ = render_video(0, 'train', index)
        for name in 'ab':
            write_video(tmp_path / f'{name}.mp4', frames)
        assert (tmp_path / 'a.mp4').read_bytes() == (tmp_path / 'b.mp4').read_bytes()


def test_smaller_crf_is_closer(tmp_path):
    frames = smooth_frames(12)
    errors = []
    for crf in (5, 40):
        write_video(tmp_path / 'a.mp4', frames, crf=crf)
        read = VideoReader(str(tmp_path / 'a.mp4'), num_threads=1)[3].asnumpy()
        errors.append(abs(read.astype(int) - frames[3]).mean())
    assert errors[0] < errors[1]


def broken_source():
    yield from smooth_frames(3)
    raise RuntimeError('source broke')


def changing_size():
    yield from smooth_frames(3)
    yield smooth_frames(1, 32, 32)[0]


@pytest.mark.parametrize(
    'frames,message',
    [
        (smooth_frames(2, 47, 64), 'frame 0: .* even sides, got 64 x 47'),
        (smooth_frames(2, 48, 63), 'frame 0: .* even sides, got 63 x 48'),
        (np.zeros((2, 48, 64), np.uint8), r'frame 0: expected \(H, W, 3\) uint8'),
        (np.zeros((2, 48, 64, 3)), r'frame 0: expected .* float64'),
        (np.zeros((0, 48, 64, 3), np.uint8), 'at least one frame'),
        (changing_size, r'frame 3: expected shape \(48, 64, 3\)'),
        (broken_source, 'source broke'),
    ],
)
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, frames, message):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'old')
    with pytest.raises((ValueError, RuntimeError), match=message):
        write_video(path, frames() if callable(frames) else frames)
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]
