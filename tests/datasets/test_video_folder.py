import shutil

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from ssvad.annotations import save_annotations, write_split
from ssvad.datasets.unreadable import VideoReadError
from ssvad.datasets.video_folder import (
    CountFrames,
    VideoFolder,
    count_frames,
    find_videos,
)
from ssvad.video_io import write_video
from tests.helpers import ROOT


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')


def grey(path, frames=20, height=24, width=32, value=90):
    write_video(path, np.full((frames, height, width, 3), value, np.uint8))


def ids(dataset):
    return [dataset.get_data_info(i)['video_id'] for i in range(len(dataset))]


def test_videos_are_found_at_any_depth_in_the_order_of_names(tmp_path):
    touch(tmp_path, 'b/2.mp4', 'b/10.MP4', 'a.avi', 'b/c/x.y.webm', 'b/notes.txt')
    touch(tmp_path, '.hidden/v.mp4', 'b/._2.mp4', 'b/.2.mp4.7.part', 'é ü/1.mkv')
    (tmp_path / 'folder.mp4').mkdir()
    videos = find_videos(str(tmp_path))
    assert list(videos) == ['a', 'b/10', 'b/2', 'b/c/x.y', 'é ü/1']
    assert videos['b/10'] == str(tmp_path / 'b/10.MP4')


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, 'elsewhere/v.mp4', 'root/u.mp4')
    (tmp_path / 'root/one').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'root/two').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere/back').symlink_to(tmp_path / 'root')
    (tmp_path / 'root/w.mp4').symlink_to(tmp_path / 'elsewhere/v.mp4')
    assert list(find_videos(str(tmp_path / 'root'))) == ['one/v', 'two/v', 'u', 'w']


def test_a_folder_that_gives_nothing_is_an_error(tmp_path):
    with pytest.raises(NotADirectoryError, match="gone'.*no such folder"):
        find_videos(str(tmp_path / 'gone'))
    touch(tmp_path, 'a/v.txt')
    with pytest.raises(ValueError, match=r'no video in this folder.*\.mp4'):
        VideoFolder([], dict(video=str(tmp_path)))


def test_one_id_for_two_files_is_an_error(tmp_path):
    touch(tmp_path, 'a/v.mp4', 'a/v.avi')
    with pytest.raises(ValueError, match="v.avi and .*v.mp4 would both be .*'a/v'"):
        find_videos(str(tmp_path))


def test_a_list_restricts_and_orders(tmp_path):
    touch(tmp_path, 'videos/a.mp4', 'videos/b/c.mp4', 'videos/d.mp4')
    write_split(tmp_path / 'list.txt', ['d', 'b/c'])
    cfg = dict(data_root=str(tmp_path), data_prefix=dict(video='videos'))
    assert ids(VideoFolder([], **cfg)) == ['a', 'b/c', 'd']
    assert ids(VideoFolder([], split_file='list.txt', **cfg)) == ['d', 'b/c']
    write_split(tmp_path / 'list.txt', ['d', 'b', 'x'])
    unknown = r"list\.txt: 2 of 3 ids are not in .*videos': 'b', 'x'; an id is the"
    with pytest.raises(ValueError, match=unknown):
        VideoFolder([], split_file='list.txt', **cfg)


def test_data_prefix_must_name_the_folder():
    with pytest.raises(ValueError, match=r"dict\(video='folder"):
        VideoFolder([], dict(img='x'))


def test_frames_are_counted_in_the_file(tmp_path):
    grey(tmp_path / 'v.mp4', frames=13)
    assert count_frames(str(tmp_path / 'v.mp4')) == 13
    dataset = VideoFolder([CountFrames()], dict(video=str(tmp_path)))
    item = dataset[0]
    assert (item['video_id'], item['total_frames']) == ('v', 13)
    assert 'label' not in item and 'gt_tubes' not in item


def test_starting_does_not_look_into_the_files(tmp_path):
    touch(tmp_path, *(f'{i}.mp4' for i in range(5)))
    assert len(VideoFolder([CountFrames()], dict(video=str(tmp_path)))) == 5


def test_unreadable_files_are_skipped_unless_they_are_to_be_named(tmp_path):
    grey(tmp_path / 'good.mp4')
    (tmp_path / 'bad.mp4').write_bytes(b'not a video\n' * 50)
    (tmp_path / 'broken.mp4').symlink_to(tmp_path / 'gone')
    prefix = dict(video=str(tmp_path))
    strict = VideoFolder([CountFrames()], prefix, on_error='raise')
    reasons = r'bad\.mp4: cannot open', r'broken\.mp4: no such file'
    for index, reason in enumerate(reasons):
        with pytest.raises(VideoReadError, match=reason):
            strict[index]
    assert VideoFolder([CountFrames()], prefix)[0]['video_id'] == 'good'


@pytest.fixture
def extra_config(tmp_path, monkeypatch):
    """The extra-videos config on 3 + 2 UCF-like videos and a folder of 4."""
    root, extra = tmp_path / 'ucf24', tmp_path / 'extra'
    size = dict(width=320, height=240, num_frames=20)
    tube = dict(label=0, start=0, boxes=[[10, 20, 110, 220]] * 20)
    names = [f'C/{letter}' for letter in 'abcde']
    grey(root / 'videos/C/a.mp4', height=240, width=320)
    for name in names[1:]:
        shutil.copy(root / 'videos/C/a.mp4', root / f'videos/{name}.mp4')
    videos = [dict(id=n, file=f'{n}.mp4', tubes=[tube], **size) for n in names]
    save_annotations(root / 'annotations.json', ['C'], videos)
    write_split(root / 'splits/20_seed47/labeled.txt', names[:2])
    write_split(root / 'splits/20_seed47/unlabeled.txt', names[2:])
    grey(extra / 'small.mp4', frames=5, height=48, width=64)
    grey(extra / 'tall.mp4', height=300, width=200)
    grey(extra / 'k/wide.mp4', height=240, width=426)
    (extra / 'k/bad.mp4').write_bytes(b'broken')
    for name, value in dict(UCF24=root, EXTRA=extra).items():
        monkeypatch.setenv(f'SSVAD_{name}', str(value))
    monkeypatch.delenv('SSVAD_SPLIT', raising=False)
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/ucf24_semi_var_extra.py')
    cfg.train_dataloader.update(num_workers=0)
    return cfg


def test_an_epoch_visits_list_and_folder_once(extra_config):
    loader = Runner.build_dataloader(extra_config.train_dataloader, seed=0)
    assert loader.dataset.metainfo['classes'] == ('C',)
    assert loader.sampler.sizes == [2, 3 + 4]
    offset = loader.sampler.sizes[0]
    for epoch in range(2):
        loader.sampler.set_epoch(epoch)
        drawn = [index for index in loader.sampler if index >= offset]
        assert sorted(drawn) == list(range(offset, offset + 7))
    seen, labeled = [], 0
    for batch in loader:
        for clip, sample in zip(batch['inputs'], batch['data_samples']):
            assert clip.shape == (2, 3, 8, 224, 224)
            if 'gt_label' in sample:
                labeled += 1
            else:
                assert 'gt_mask' not in sample
                seen.append(sample.video_id)
    assert labeled == len(seen) == 7
    # the damaged file is replaced by another of its folder
    wanted = {'C/c', 'C/d', 'C/e', 'small', 'tall', 'k/wide'}
    assert set(seen) == wanted


def test_concatenation_needs_the_classes_ignored(extra_config):
    dataset = extra_config.train_dataloader.dataset
    dataset.datasets[1].pop('ignore_keys')
    with pytest.raises(ValueError, match='classes does not in the meta'):
        DATASETS.build(dataset)
