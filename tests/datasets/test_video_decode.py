import copy
import pickle

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from ssvad.datasets.unreadable import VideoReadError
from ssvad.datasets.video_decode import OpenVideo
from ssvad.video_io import write_video
from tests.helpers import UCF24_MINI, needs_ucf24_mini

FRAMES, HEIGHT, WIDTH = 30, 48, 64


@pytest.fixture(scope='module')
def frames():
    """Frames told apart by their brightness."""
    values = np.arange(FRAMES, dtype=np.uint8) * 7 + 20
    return np.ones((FRAMES, HEIGHT, WIDTH, 3), np.uint8) * values[:, None, None, None]


@pytest.fixture(scope='module')
def clip(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp('videos') / 'grey.mp4'
    write_video(path, frames, 25)
    return path


def damaged(clip, tmp_path, kind):
    path = tmp_path / f'{kind}.mp4'
    data = clip.read_bytes()
    start = data.index(b'mdat') + 4
    content = {
        'empty': b'',
        'text': b'not a video\n' * 50,
        'zeros': bytes(5000),
        'cut': data[: len(data) // 2],
        # the index at the end is whole, the pictures are not
        'garbled': data[: start + 300] + bytes(400) + data[start + 700 :],
    }[kind]
    path.write_bytes(content)
    return path


def request(path, inds, total_frames=FRAMES):
    return dict(
        filename=str(path), total_frames=total_frames, frame_inds=np.array(inds)
    )


def test_reads_the_frames_asked_for(clip, frames):
    inds = [0, 7, 7, 3, 29]
    results = OpenVideo()(request(clip, inds))
    results = TRANSFORMS.build(dict(type='DecordDecode'))(results)
    assert results['original_shape'] == results['img_shape'] == (HEIGHT, WIDTH)
    seen = np.stack(results['imgs']).astype(int)
    assert np.abs(seen - frames[inds].astype(int)).max() <= 3


def test_results_can_be_copied_and_pickled_before_decoding(clip):
    results = OpenVideo()(request(clip, [1, 2]))
    for other in (copy.deepcopy(results), pickle.loads(pickle.dumps(results))):
        assert len(TRANSFORMS.build(dict(type='DecordDecode'))(other)['imgs']) == 2


def test_the_file_may_be_longer_but_not_shorter_than_annotated(clip):
    assert OpenVideo()(request(clip, [3], total_frames=20))
    with pytest.raises(
        VideoReadError, match=r'grey.mp4: the annotation has 31.*only 30'
    ):
        OpenVideo()(request(clip, [3], total_frames=31))


@pytest.mark.parametrize('kind', ['empty', 'text', 'zeros', 'cut', 'garbled'])
def test_unreadable_files_are_named(clip, tmp_path, kind):
    path = damaged(clip, tmp_path, kind)
    inds = list(range(FRAMES))
    with pytest.raises(VideoReadError, match=rf'{kind}\.mp4: cannot \w+'):
        OpenVideo()(request(path, inds))


def test_missing_file(tmp_path):
    with pytest.raises(VideoReadError, match=r'gone\.mp4: no such file'):
        OpenVideo()(request(tmp_path / 'gone.mp4', [0]))


def test_use_errors(clip):
    with pytest.raises(KeyError, match='sample frames before'):
        OpenVideo()(dict(filename=str(clip), total_frames=3))
    results = OpenVideo()(request(clip, [1, 2]))
    results['frame_inds'] = np.array([2, 3])
    with pytest.raises(ValueError, match='changed after the frames were read'):
        TRANSFORMS.build(dict(type='DecordDecode'))(results)


@pytest.mark.slow
@needs_ucf24_mini
def test_real_clip():
    path = UCF24_MINI / 'rgb-videos/Basketball/v_Basketball_g07_c04.mp4'
    results = OpenVideo()(request(path, [0, 50, 100], total_frames=101))
    results = TRANSFORMS.build(dict(type='DecordDecode'))(results)
    assert results['original_shape'] == (240, 320)
    assert all(frame.std() > 10 for frame in results['imgs'])


@pytest.mark.slow
@needs_ucf24_mini
def test_raw_stream_with_a_misleading_name():
    path = UCF24_MINI / 'raw_mpeg4_stream.mp4'
    results = OpenVideo()(request(path, [0, 50, 100], total_frames=101))
    results = TRANSFORMS.build(dict(type='DecordDecode'))(results)
    assert results['original_shape'] == (256, 340)
    assert all(frame.std() > 10 for frame in results['imgs'])
