import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from ssvad.annotations import save_annotations
from ssvad.datasets import frame_cache
from ssvad.datasets.frame_cache import (
    FrameCacheError,
    OpenFrameCache,
    cache_path,
    read_cache,
    write_cache,
)
from ssvad.datasets.frame_reader import VideoReadError
from ssvad.datasets.video_decode import OpenVideo
from ssvad.video_io import write_video

FRAMES, HEIGHT, WIDTH = 30, 48, 64
VIDEO = 'a class/one'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A video file that tests must not change."""
    path = tmp_path_factory.mktemp('videos') / 'one.mp4'
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, 3), np.uint8)
    frames = np.tile(frames[:, None, None], (1, HEIGHT, WIDTH, 1))
    frames[:, :, : WIDTH // 2] //= 2
    write_video(path, frames)
    return path


@pytest.fixture
def video(source, tmp_path):
    path = tmp_path / 'one.mp4'
    path.write_bytes(source.read_bytes())
    return path


@pytest.fixture
def cache(video, tmp_path):
    write_cache(tmp_path / 'cache', VIDEO, str(video), FRAMES)
    return tmp_path / 'cache'


def request(path, inds, total_frames=FRAMES):
    return dict(
        video_id=VIDEO,
        filename=str(path),
        total_frames=total_frames,
        frame_inds=np.array(inds),
        modality='RGB',
    )


def test_frames_are_those_of_the_video(video, cache):
    inds = [0, 7, 7, 3, 29]
    decode = TRANSFORMS.build(dict(type='DecordDecode'))
    cached = decode(OpenFrameCache(str(cache))(request(video, inds)))
    decoded = decode(OpenVideo()(request(video, inds)))
    assert cached.keys() == decoded.keys()
    assert np.array_equal(cached['imgs'], decoded['imgs'])
    assert cached['original_shape'] == decoded['original_shape'] == (HEIGHT, WIDTH)


def test_nothing_is_read_before_use_and_only_what_is_asked_for_is_copied(video, cache):
    frames = read_cache(cache, VIDEO, str(video), FRAMES)
    assert isinstance(frames.base, np.memmap)
    assert not frames.flags.writeable
    taken = OpenFrameCache(str(cache)).read(request(video, [1, 2]), np.array([1, 2]))
    assert taken.flags.owndata and taken.flags.writeable and len(taken) == 2


def test_transforms_that_write_into_frames_leave_the_cache_alone(video, cache):
    flip = TRANSFORMS.build(dict(type='Flip', flip_ratio=1.0))
    decode = TRANSFORMS.build(dict(type='DecordDecode'))
    before = cache_path(cache, VIDEO).read_bytes()
    results = decode(OpenFrameCache(str(cache))(request(video, [4, 4, 5])))
    upright = np.array(results['imgs'])
    flipped = flip(results)['imgs']
    assert np.array_equal(flipped, upright[:, :, ::-1])
    assert not np.array_equal(flipped, upright)
    assert cache_path(cache, VIDEO).read_bytes() == before


def touch(video):
    os.utime(video, (1e9, 1e9))


def lengthen(video):
    status = video.stat()
    video.write_bytes(video.read_bytes() + b'0')
    os.utime(video, (status.st_atime, status.st_mtime))


@pytest.mark.parametrize('change', [touch, lengthen])
def test_a_changed_video_is_refused_until_it_is_cached_again(video, cache, change):
    change(video)
    with pytest.raises(
        FrameCacheError, match=r'one\.npy: made from another version of .*one\.mp4'
    ):
        read_cache(cache, VIDEO, str(video), FRAMES)
    write_cache(cache, VIDEO, str(video), FRAMES)
    assert len(read_cache(cache, VIDEO, str(video), FRAMES)) == FRAMES


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b'')


def pickled(path):
    np.save(path, np.array([dict()] * FRAMES), allow_pickle=True)


def no_notes(path):
    path.with_suffix('.json').write_text('{')


def other_notes(path):
    path.with_suffix('.json').write_text('[]')


@pytest.mark.parametrize('harm', [cut, empty, pickled, no_notes, other_notes])
def test_damaged_files_are_refused(video, cache, harm):
    harm(cache_path(cache, VIDEO))
    with pytest.raises(FrameCacheError, match=r'one\.npy: damaged .*run tools'):
        read_cache(cache, VIDEO, str(video), FRAMES)


def test_other_formats_are_refused(video, cache):
    notes = cache_path(cache, VIDEO).with_suffix('.json')
    notes.write_text(json.dumps({**json.loads(notes.read_text()), 'format': 'x-2'}))
    with pytest.raises(FrameCacheError, match='another version'):
        read_cache(cache, VIDEO, str(video), FRAMES)


def test_the_cache_may_hold_more_but_not_less_than_annotated(video, cache):
    assert len(read_cache(cache, VIDEO, str(video), 20)) == FRAMES
    write_cache(cache, VIDEO, str(video), 20)
    with pytest.raises(FrameCacheError, match='holds 20 frames, the annotation has 30'):
        read_cache(cache, VIDEO, str(video), FRAMES)


def test_a_missing_or_stale_video_is_no_unreadable_one(video, cache):
    read = OpenFrameCache(str(cache))
    with pytest.raises(FrameCacheError, match="no frames of video 'other' here; run"):
        read(dict(request(video, [0]), video_id='other'))
    touch(video)
    with pytest.raises(FrameCacheError, match='another version'):
        read(request(video, [0]))


@pytest.mark.parametrize('kind', ['text', 'short'])
def test_an_unreadable_video_is_named(video, tmp_path, kind):
    total_frames, reason = FRAMES, 'cannot open'
    if kind == 'text':
        video.write_text('not a video')
    else:
        total_frames, reason = FRAMES + 1, 'has 31 frames, only 30 can be decoded'
    with pytest.raises(VideoReadError, match=rf'one\.mp4: .*{reason}'):
        write_cache(tmp_path, VIDEO, str(video), total_frames)
    assert not cache_path(tmp_path, VIDEO).exists()
    results = request(video, [0], total_frames)
    with pytest.raises(VideoReadError, match=rf'^{video}: [^/]*{reason}'):
        OpenFrameCache(str(tmp_path))(results)


def test_a_video_that_is_gone(video, cache):
    video.unlink()
    for act in (read_cache, write_cache):
        with pytest.raises(VideoReadError, match=r'one\.mp4: no such file'):
            act(cache, VIDEO, str(video), FRAMES)


@pytest.mark.parametrize('again', [False, True])
def test_what_is_interrupted_leaves_nothing_to_read(
    video, tmp_path, monkeypatch, again
):
    if again:
        write_cache(tmp_path / 'c', VIDEO, str(video), FRAMES)

    def interrupted(filename):
        yield np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(frame_cache, 'iter_frames', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path / 'c', VIDEO, str(video), FRAMES)
    with pytest.raises(FrameCacheError, match='no frames of video'):
        read_cache(tmp_path / 'c', VIDEO, str(video), FRAMES)
    left = [p.name for p in (tmp_path / 'c').rglob('*') if p.is_file()]
    assert left == ['one.npy'] * again


folder_names = st.text('ab.% :\\ä', min_size=1).filter(lambda n: n not in ('.', '..'))
ids = st.lists(folder_names, min_size=1, max_size=3).map('/'.join)


@given(st.lists(ids, min_size=2, max_size=2, unique=True))
def test_ids_stay_in_the_folder_and_apart(ids):
    paths = [os.path.normpath(cache_path('cache', video_id)) for video_id in ids]
    assert paths[0] != paths[1]
    assert all(path.startswith('cache' + os.sep) for path in paths)
    assert all(path.endswith('.npy') for path in paths)
    # no drives, streams or folders of Windows
    assert not {':', '\\'} & {*''.join(paths)}


@pytest.mark.parametrize('video_id', ['/etc/x', '../x', 'a/../../x', '..', '.', '/'])
def test_ids_that_lead_out_of_the_folder_are_refused(video_id):
    with pytest.raises(FrameCacheError, match='cannot name a file of a cache'):
        cache_path('cache', video_id)


def test_workers_read_what_the_main_process_reads(source, tmp_path):
    video = dict(id=VIDEO, file='one.mp4', width=WIDTH, height=HEIGHT, tubes=[])
    save_annotations(tmp_path / 'a.json', ['x'], [dict(video, num_frames=FRAMES)])
    write_cache(tmp_path, VIDEO, str(source), FRAMES)
    pipeline = [
        dict(type='SampleWholeVideo'),
        dict(type='OpenFrameCache', cache_dir=str(tmp_path)),
        dict(type='DecordDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(
            dict(
                type='TubeDataset',
                ann_file=str(tmp_path / 'a.json'),
                data_prefix=dict(video=str(source.parent)),
                pipeline=pipeline,
                test_mode=True,
            )
        )
    expected = dataset[0]['inputs']
    loader = DataLoader(
        dataset, sampler=[0] * 4, num_workers=2, collate_fn=pseudo_collate
    )
    seen = [batch['inputs'][0] for batch in loader]
    assert len(seen) == 4
    assert all((inputs == expected).all() for inputs in seen)
