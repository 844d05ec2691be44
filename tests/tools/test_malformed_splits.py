"""Split lists that are wrong or small: what each entry point says, or does.

Elsewhere: lists that hold nothing or an id twice, ``read_split``: test_annotations.py;
the same and unknown ids through ``TubeDataset``: test_tube_dataset.py
(``split_errors``); a part without videos in ``MixedSampler``: test_mixed_sampler.py
(``errors``); a training list that shares videos with the test list, fractions that
label nothing: test_make_split.py; overlaps of any two lists, and of their contents:
test_check_dataset.py. What follows is the rest: counts per class, one video only, fewer
videos than a batch or than ranks.
"""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import make_split
from ssvad.annotations import (
    draw_by_class,
    read_split,
    save_annotations,
    split_by_class,
    write_split,
)
from ssvad.datasets import mixed_sampler


def video(video_id, label):
    size = {'width': 32, 'height': 16, 'num_frames': 6}
    tubes = [] if label is None else [label]
    tubes = [{'label': n, 'start': 0, 'boxes': [[0, 0, 9, 9]]} for n in tubes]
    return {'id': video_id, 'file': f'{video_id}.mp4', **size, 'tubes': tubes}


def collection(*sizes, idle=0):
    videos = [video(f'{k}/{i}', k) for k, n in enumerate(sizes) for i in range(n)]
    return videos + [video(f'idle{i}', None) for i in range(idle)]


@pytest.fixture
def split(tmp_path):
    """Run make_split.py on some videos; returns its two lists."""

    def start(videos, *share, test=()):
        save_annotations(tmp_path / 'ann.json', ['zero', 'one', 'two'], videos)
        write_split(tmp_path / 'train.txt', [v['id'] for v in videos])
        arguments = [tmp_path / 'ann.json', '--train', tmp_path / 'train.txt']
        if test:
            write_split(tmp_path / 'test.txt', test)
            arguments += ['--test', tmp_path / 'test.txt']
        arguments += ['--seed', 3, '--out-dir', tmp_path / 'out', *share]
        try:
            make_split.main([str(argument) for argument in arguments])
        except BaseException:
            assert not (tmp_path / 'out').exists()
            raise
        out = tmp_path / 'out'
        assert {p.name for p in out.iterdir()} == {'labeled.txt', 'unlabeled.txt'}
        return [read_split(out / f'{name}.txt') for name in ('labeled', 'unlabeled')]

    return start


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    count=st.integers(1, 12),
    idle=st.integers(0, 2),
    seed=st.integers(0, 9),
)
def test_count_of_every_class_is_drawn(sizes, count, idle, seed):
    videos = collection(*sizes, idle=idle)
    counts = dict.fromkeys(range(len(sizes)), count)
    if count > min(sizes):
        with pytest.raises(ValueError, match=rf'class \d+ has \d+ videos, {count} can'):
            draw_by_class(videos, counts, seed)
        return
    drawn, rest = draw_by_class(videos, counts, seed)
    for label in counts:
        assert sum(name.startswith(f'{label}/') for name in drawn) == count
    assert len(drawn) == count * len(sizes)
    assert sorted(drawn + rest) == sorted(v['id'] for v in videos)
    assert draw_by_class(videos[::-1], counts, seed) == (drawn, rest)
    if count > 1:
        fewer = dict.fromkeys(counts, count - 1)
        assert set(draw_by_class(videos, fewer, seed)[0]) < set(drawn)


def test_counts_and_fractions_draw_in_one_order():
    videos = collection(20, 10)
    labeled, _ = split_by_class(videos, 0.3, 7)
    assert draw_by_class(videos, {0: 6, 1: 3}, 7)[0] == labeled


def test_count_per_class_is_written(split, tmp_path, capsys):
    labeled, unlabeled = split(collection(5, 3, 4, idle=1), '--count', 2)
    assert [name[0] for name in labeled] == list('001122')
    assert len(unlabeled) == 13 - 6 and 'idle0' in unlabeled
    head = (tmp_path / 'out/labeled.txt').read_text().splitlines()[0]
    assert head == '# 2 videos, seed 3, per class'
    assert 'warning' not in capsys.readouterr().out
    few = split(collection(5, 3, 4), '--count', 1, '--unlabeled-times', 2)
    assert [len(names) for names in few] == [3, 6]
    assert set(few[0]) < set(labeled)


@pytest.mark.parametrize('videos, share, message', [
    (collection(5, 2), ['--count', 3], r"got 3; classes with fewer: \{'one': 2\}"),
    (collection(5, 2), ['--count', 0], 'at least 1 .*, got 0; .* none'),
    (collection(5, 2), ['--count', -1], 'at least 1 .*, got -1'),
    (collection(2, 2), ['--count', 2], 'labels all 4 videos, none is left unlabelled'),
    (collection(idle=3), ['--count', 1], 'at most the videos of a class'),
    (collection(idle=3), ['--fraction', 0.5], r'labels no video: .* class: \{\}'),
    # one video only
    (collection(1), ['--fraction', 0.99], r'labels no video: .*\{0: 1\}. Take a'),
    (collection(1), ['--count', 1], 'labels all 1 videos, none is left'),
])  # fmt: skip
def test_a_part_without_videos_is_refused_and_nothing_written(
    split, videos, share, message
):
    with pytest.raises(ValueError, match=message):
        split(videos, *share)


def test_overlap_with_the_test_list_says_what_to_do(split):
    with pytest.raises(ValueError, match="1 training videos .* '0/1'; take them out"):
        split(collection(3), '--count', 1, test=['0/1', 'other'])


@pytest.mark.parametrize('share', [[], ['--count', 1, '--fraction', 0.5]])
def test_either_a_count_or_a_fraction(split, share, capsys):
    with pytest.raises(SystemExit) as ended:
        split(collection(3), *share)
    assert ended.value.code == 2
    assert '--count' in capsys.readouterr().err


def test_floor_rule_of_the_published_jhmdb_lists():
    """20 % of three classes as published; the sizes of the others are not at hand."""
    labeled, _ = split_by_class(collection(29, 31, 39), 0.2, 47)
    assert [sum(name[0] == label for name in labeled) for label in '012'] == [5, 6, 7]


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Build the loader of the semi-supervised configs for some labelled videos."""
    # which videos come is the question, not what is in them
    pipeline = [dict(type='SampleTubeClip', clip_len=2, frame_interval=1)]
    (tmp_path / 'videos/0').mkdir(parents=True)

    def build(labeled, unlabeled, rank=0, world=1, batch_size=4):
        videos = collection(labeled + unlabeled)
        for item in videos:
            (tmp_path / 'videos' / item['file']).touch()
        save_annotations(tmp_path / 'ann.json', ['zero'], videos)
        ids = [item['id'] for item in videos]
        datasets = []
        for name, part in (('lab', ids[:labeled]), ('unlab', ids[labeled:])):
            write_split(tmp_path / f'{name}.txt', part)
            datasets.append(
                dict(
                    type='TubeDataset',
                    ann_file=str(tmp_path / 'ann.json'),
                    split_file=str(tmp_path / f'{name}.txt'),
                    data_prefix=dict(video=str(tmp_path / 'videos')),
                    pipeline=pipeline,
                    serialize_data=False,  # it collects garbage for a second
                )
            )
        monkeypatch.setattr(mixed_sampler, 'get_dist_info', lambda: (rank, world))
        with DefaultScope.overwrite_default_scope('mmaction'):
            return Runner.build_dataloader(
                dict(
                    batch_size=batch_size,
                    num_workers=0,
                    sampler=dict(type='MixedSampler', ratio=(1, 1), seed=0),
                    collate_fn=dict(type='pseudo_collate'),
                    dataset=dict(type='ConcatDataset', datasets=datasets),
                )
            )

    return build


def seen(loader):
    """Ids of the videos of each batch."""
    return [batch['video_id'] for batch in loader]


def test_one_labelled_and_one_unlabelled_video_make_an_epoch(loader):
    assert seen(loader(1, 1)) == [['0/0', '0/1']]


@pytest.mark.parametrize('labeled, unlabeled', [(1, 3), (3, 1), (2, 2)])
def test_fewer_videos_than_a_batch(loader, labeled, unlabeled):
    (batch,) = seen(loader(labeled, unlabeled, batch_size=16))
    assert len(batch) == 2 * max(labeled, unlabeled)
    # in turn, the smaller part again and again
    given_labels = {f'0/{i}' for i in range(labeled)}
    assert [name in given_labels for name in batch] == [True, False] * (len(batch) // 2)
    assert set(batch) == {f'0/{i}' for i in range(labeled + unlabeled)}


def test_fewer_videos_than_ranks(loader):
    batches = [seen(loader(1, 2, rank, world=4)) for rank in range(4)]
    assert [len(list(chain(*rank))) for rank in batches] == [2, 2, 2, 2]
    assert {names[0][1] for names in batches} == {'0/1', '0/2'}
    assert {names[0][0] for names in batches} == {'0/0'}


@pytest.mark.parametrize('labeled, unlabeled', [(0, 2), (2, 0)])
def test_an_empty_list_stops_before_training(loader, labeled, unlabeled):
    name = 'unlab' if labeled else 'lab'
    with pytest.raises(
        ValueError, match=rf'/{name}\.txt: expected one video id a line'
    ):
        loader(labeled, unlabeled)
