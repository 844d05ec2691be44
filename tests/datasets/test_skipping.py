"""The one rule for unreadable videos: named, or skipped with a count and a limit."""

import atexit
import copy
import json
import multiprocessing
import os
import pickle
import re

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.dataset import ConcatDataset
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from ssvad.annotations import save_annotations
from ssvad.datasets import CountFrames, VideoFolder, skip_record
from ssvad.datasets.skip_record import SkipRecord
from ssvad.datasets.unreadable import VideoReadError
from ssvad.video_io import write_video

FRAMES, HEIGHT, WIDTH = 10, 32, 48
CLIP = [
    dict(type='SampleTubeClip', trimmed=False),
    dict(type='OpenVideo'),
    dict(type='DecordDecode'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('video_id',)),
]


@pytest.fixture
def root(tmp_path):
    """Four videos of one shade each, three files that are none."""
    size = dict(width=WIDTH, height=HEIGHT, num_frames=FRAMES)
    videos = []
    for index, name in enumerate(['a', 'bad1', 'b', 'bad2', 'c', 'bad3', 'd']):
        path = tmp_path / f'{name}.mp4'
        if 'bad' in name:
            path.write_text('not a video\n' * (10 + index))
        else:
            frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 60 + 20 * index, np.uint8)
            write_video(path, frames)
        videos.append(dict(id=name, file=path.name, tubes=[], **size))
    save_annotations(tmp_path / 'a.json', ['x'], videos)
    return tmp_path


@pytest.fixture
def log(tmp_path):
    """Lines of the log about skipped videos, from all processes."""
    name = tmp_path.name
    MMLogger.get_instance(name, log_file=str(tmp_path / 'run.log'))
    yield lambda: [
        line
        for line in (tmp_path / 'run.log').read_text().splitlines()
        if 'skipped an unreadable video' in line
    ]
    MMLogger._instance_dict.pop(name)


def build(root, pipeline=CLIP, **kwargs):
    cfg = dict(
        type='TubeDataset',
        ann_file=str(root / 'a.json'),
        data_prefix=dict(video=str(root)),
        pipeline=copy.deepcopy(pipeline),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build({**cfg, **kwargs})


def load(dataset, workers=2, epochs=1, **kwargs):
    """Ids and clips of some epochs, with new workers for each."""
    seen = []
    for _ in range(epochs):
        loader = DataLoader(
            dataset, num_workers=workers, collate_fn=lambda items: items, **kwargs
        )
        iterator = iter(loader)
        try:
            for (item,) in iterator:
                seen.append((item['data_samples'].video_id, item['inputs']))
        finally:
            if workers:  # after an error, torch would wait for them
                iterator._shutdown_workers()
    return seen


def test_labelled_videos_raise_with_name_reason_and_advice(root):
    dataset = build(root)
    message = r"bad1\.mp4: cannot open: .*\(mend.* or set on_error='skip'\)"
    with pytest.raises(VideoReadError, match=message):
        dataset[1]
    with pytest.raises(VideoReadError, match=r'bad1\.mp4: cannot open'):
        load(dataset, sampler=[0, 1])


def test_unlabelled_videos_of_a_folder_are_skipped_by_default(root):
    dataset = VideoFolder([CountFrames()], dict(video=str(root)))
    assert {dataset[i]['video_id'] for i in range(7)} <= {*'abcd'}


def test_another_clip_takes_the_place_and_is_no_empty_one(root, log):
    seen = load(build(root, on_error='skip'))
    assert len(seen) == 7
    assert {name for name, _ in seen} == {*'abcd'}
    shade = dict(a=60, b=100, c=140, d=180)
    for name, clip in seen:
        assert abs(clip.float() - shade[name]).max() <= 4
    assert len(log()) == 3


def test_each_is_logged_once_for_all_workers_and_epochs(root, log):
    dataset = build(root, on_error='skip', max_skipped=3)
    load(ConcatDataset([dataset]), workers=3, epochs=2, sampler=[*range(7)] * 2)
    lines = log()
    numbers = [re.search(r'number (\d) of at most 3: (\S+)\.mp4: ', x) for x in lines]
    assert sorted(match[1] for match in numbers) == ['1', '2', '3']
    assert {os.path.basename(match[2]) for match in numbers} == {'bad1', 'bad2', 'bad3'}


def replace_by(index, dataset):
    dataset._rand_another = lambda: index
    return dataset


@pytest.mark.parametrize('workers', [0, 2])
def test_too_many_stop_the_run_with_all_names_and_reasons(root, workers):
    dataset = replace_by(0, build(root, on_error='skip', max_skipped=2))
    load(dataset, workers, sampler=[1, 3, 1, 2])
    with pytest.raises(RuntimeError, match='3 of 7 videos .* max_skipped=2') as error:
        load(dataset, workers, sampler=[0, 5])
    for name in ('bad1', 'bad2', 'bad3'):
        assert re.search(rf'^\S*{name}\.mp4: cannot open', str(error.value), re.M)


def test_no_video_left_stops_the_run_below_the_limit(root):
    dataset = replace_by(1, build(root, indices=[1, 3], on_error='skip'))
    with pytest.raises(RuntimeError, match='2 of 2 videos cannot be read'):
        dataset[0]
    strict = build(root, on_error='skip', max_skipped=0)
    with pytest.raises(RuntimeError, match='1 of 7 videos'):
        strict[1]


def test_testing_never_skips(root):
    with pytest.raises(VideoReadError, match=r'bad1\.mp4.*take it off the list\)'):
        build(root, on_error='skip', test_mode=True)[1]
    folder = VideoFolder([CountFrames()], dict(video=str(root)), test_mode=True)
    with pytest.raises(VideoReadError, match=r'bad1\.mp4'):
        folder[2]


def test_other_errors_are_not_skipped(root):
    def broken(results):
        raise ValueError('a bug')

    with pytest.raises(ValueError, match='a bug'):
        build(root, [broken], on_error='skip')[0]


def test_frames_missing_from_a_cache_are_not_skipped(root, tmp_path):
    pipeline = [CLIP[0], dict(type='OpenFrameCache', cache_dir=str(tmp_path / 'c'))]
    with pytest.raises(ValueError, match="no frames of video 'a' here; run"):
        build(root, pipeline, on_error='skip')[0]


def test_arguments(root):
    with pytest.raises(ValueError, match="'raise' or 'skip', got 'black'"):
        build(root, on_error='black')
    with pytest.raises(ValueError, match='must not be negative, got -1'):
        build(root, max_skipped=-1)


def note(record, first):
    for index in range(first, first + 20):
        record.add(f'video {index % 30}\n"é"', 'reason')


def test_processes_share_one_record():
    context = multiprocessing.get_context('fork')
    record = SkipRecord()
    workers = [context.Process(target=note, args=(record, i)) for i in (0, 10, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    noted, new = pickle.loads(pickle.dumps(record)).add('video 3\n"é"', 'other')
    assert len(noted) == 30 and not new
    assert noted['video 3\n"é"'] == 'reason'
    noted, new = copy.deepcopy(record).add('last', 'why')
    assert list(noted)[-1] == 'last' and new and len(noted) == 31


def test_a_line_that_is_being_written_is_not_read():
    record = SkipRecord()
    record.add('a', 'x')
    with open(record.path, 'ab') as file:
        file.write(b'["b", "ha')
    assert record.add('a', 'y') == ({'a': 'x'}, False)


@pytest.mark.parametrize('meanwhile', ['a', 'b'])
def test_who_writes_first_is_first(monkeypatch, meanwhile):
    """Another process notes a video between looking and writing."""
    record, parse = SkipRecord(), skip_record._parse
    other = json.dumps([meanwhile, 'theirs']).encode() + b'\n'

    def interrupted(lines):
        monkeypatch.undo()
        with open(record.path, 'ab') as file:
            file.write(other)
        return parse(lines)

    monkeypatch.setattr(skip_record, '_parse', interrupted)
    noted, new = record.add('a', 'ours')
    assert new == (meanwhile == 'b') and noted['a'] == ('ours' if new else 'theirs')
    assert len(noted) == 1 + new


def test_the_record_goes_with_the_process_that_made_it(monkeypatch):
    calls = []
    monkeypatch.setattr(atexit, 'register', lambda *call: calls.append(call))
    path, owner = SkipRecord().path, os.getpid()
    ((remove, *args),) = calls
    monkeypatch.setattr(os, 'getpid', lambda: owner + 1)
    remove(*args)
    assert os.path.exists(path)
    monkeypatch.undo()
    remove(*args)
    remove(*args)
    assert not os.path.exists(path)
