import copy
import logging
import pickle

import numpy as np
import pytest
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from ssvad.annotations import save_annotations
from ssvad.datasets.video_decode import OpenVideo, VideoReadError
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
def test_unreadable_files_are_named_or_skipped(clip, tmp_path, kind):
    path = damaged(clip, tmp_path, kind)
    inds = list(range(FRAMES))
    with pytest.raises(VideoReadError, match=rf'{kind}\.mp4: cannot \w+'):
        OpenVideo()(request(path, inds))
    assert OpenVideo(on_error='skip')(request(path, inds)) is None


def test_missing_file(tmp_path):
    with pytest.raises(VideoReadError, match=r'gone\.mp4: no such file'):
        OpenVideo()(request(tmp_path / 'gone.mp4', [0]))


def test_skipping_is_counted_and_another_video_is_taken(clip, tmp_path):
    bad = damaged(clip, tmp_path, 'text')
    good = tmp_path / 'good.mp4'
    good.write_bytes(clip.read_bytes())
    videos = [
        dict(
            id=p.stem, file=p.name, width=WIDTH, height=HEIGHT, num_frames=30, tubes=[]
        )
        for p in (bad, good)
    ]
    save_annotations(tmp_path / 'a.json', ['x'], videos)
    messages = []

    class Collect(logging.Handler):
        def emit(self, record):
            if 'skipped' in record.getMessage():
                messages.append(record.getMessage())

    handler = Collect()
    logger = MMLogger.get_instance('test_video_decode')
    logger.addHandler(handler)
    pipeline = [
        dict(type='SampleTubeClip', trimmed=False),
        dict(type='OpenVideo', on_error='skip'),
        dict(type='DecordDecode'),
    ]
    cfg = dict(
        type='TubeDataset',
        ann_file=str(tmp_path / 'a.json'),
        data_prefix=dict(video=str(tmp_path)),
        pipeline=pipeline,
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(cfg)
        tested = DATASETS.build(dict(cfg, test_mode=True))
    np.random.seed(0)
    assert [dataset[0]['video_id'] for _ in range(3)] == ['good'] * 3
    logger.removeHandler(handler)
    assert len(messages) >= 3
    assert 'number 3' in messages[2] and 'text.mp4: cannot open' in messages[2]
    with pytest.raises(Exception, match='Test time'):
        tested[0]


def test_use_errors(clip):
    with pytest.raises(ValueError, match="'raise' or 'skip', got 'black'"):
        OpenVideo(on_error='black')
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
