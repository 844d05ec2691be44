"""Folders of pictures in datasets: annotated ones and plain folders."""

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from ssvad.annotations import save_annotations, write_split
from ssvad.datasets import CountFrames, VideoFolder
from ssvad.datasets.video_folder import find_videos
from ssvad.video_io import write_video
from tests.datasets.test_frame_folder import FRAMES, HEIGHT, WIDTH, write_folder


def test_one_annotation_serves_videos_and_folders_of_their_frames(tmp_path):
    names = ['run/a', 'run/b.c', 'd']
    frames = {name: write_folder(tmp_path / 'frames' / name) for name in names}
    size = dict(width=WIDTH, height=HEIGHT, num_frames=FRAMES, tubes=[])
    files = dict(zip(names, ['run/a.avi', 'run/b.c', 'd.avi']))
    videos = [dict(id=name, file=file, **size) for name, file in files.items()]
    save_annotations(tmp_path / 'a.json', ['x'], videos)

    def build(folder, **kwargs):
        cfg = dict(
            type='TubeDataset',
            ann_file=str(tmp_path / 'a.json'),
            data_prefix=dict(video=str(tmp_path / folder)),
            pipeline=[
                dict(type='SampleWholeVideo', clip_len=4, frame_interval=1),
                dict(type='OpenVideo'),
                dict(type='DecordDecode'),
            ],
        )
        with DefaultScope.overwrite_default_scope('mmaction'):
            return DATASETS.build({**cfg, **kwargs})

    dataset = build('frames')
    for item, name in zip(dataset, names):
        assert np.array_equal(np.stack(item['imgs']), frames[name])
    tmpl = '{:05}.png'
    (tmp_path / 'frames/d/flow_1.png').write_bytes(b'')
    item = build('frames', filename_tmpl=tmpl)[2]
    assert item['filename'] == str(tmp_path / 'frames/d' / tmpl)
    assert np.array_equal(np.stack(item['imgs']), frames['d'])
    item = build('frames', filename_tmpl=tmpl)[1]
    assert item['filename'] == str(tmp_path / 'frames/run/b.c' / tmpl)
    with pytest.raises(FileNotFoundError, match=r"3 of 3 videos.*'\S*/run/a\.avi'"):
        build('nowhere')


def test_a_folder_of_videos_may_hold_folders_of_frames(tmp_path):
    for name in ('k/one', 'k/v1.5', 'two'):
        write_folder(tmp_path / name, 'img_{:05}.jpg')
    write_video(tmp_path / 'k/film.mp4', np.zeros((9, 24, 32, 3), np.uint8))
    for name in ('0001.png', 'k/0001.png', 'album/cover.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'')
    found = find_videos(str(tmp_path))
    assert list(found) == ['k/film', 'k/one', 'k/v1.5', 'two']
    with pytest.raises(ValueError, match='no video in this folder'):
        find_videos(str(tmp_path / 'two'))
    dataset = VideoFolder([CountFrames()], dict(video=str(tmp_path)), on_error='raise')
    assert [item['total_frames'] for item in dataset] == [9, 12, 12, 12]
    write_folder(tmp_path / 'two', 'flow_{:05}.jpg')
    write_split(tmp_path / 'list.txt', ['two', 'k/film'])
    tmpl = 'img_{:05}.jpg'
    dataset = VideoFolder(
        [CountFrames()],
        dict(video=str(tmp_path)),
        filename_tmpl=tmpl,
        split_file=str(tmp_path / 'list.txt'),
    )
    assert [item['total_frames'] for item in dataset] == [12, 9]
    write_folder(tmp_path / 'k/film')
    with pytest.raises(ValueError, match="both be video 'k/film'"):
        find_videos(str(tmp_path))
