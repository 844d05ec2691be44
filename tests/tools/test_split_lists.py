"""The committed lists of the published fractions of UCF101-24."""

from collections import Counter

import pytest

import convert_ucf24
import make_split
from ssvad.annotations import load_annotations, read_split
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini

LISTS = ROOT / 'data_lists/ucf24'
PUBLISHED = {5: 101, 8: 171, 10: 216, 15: 331, 20: 445, 25: 563}


def labeled(percent):
    return set(read_split(LISTS / f'{percent}_seed47/labeled.txt'))


@pytest.mark.parametrize('percent', PUBLISHED)
def test_lists_divide_the_training_videos(percent):
    train = read_split(LISTS / 'train.txt')
    unlabeled = set(read_split(LISTS / f'{percent}_seed47/unlabeled.txt'))
    assert (len(train), len(labeled(percent))) == (2284, PUBLISHED[percent])
    assert not labeled(percent) & unlabeled
    assert labeled(percent) | unlabeled == set(train)
    # of every class the same share, rounded down; the class is the folder
    videos = Counter(name.split('/')[0] for name in train)
    chosen = Counter(name.split('/')[0] for name in labeled(percent))
    assert chosen == {name: n * percent // 100 for name, n in videos.items()}
    assert len(videos) == 24


def test_larger_lists_contain_the_smaller():
    percents = list(PUBLISHED)
    for smaller, larger in zip(percents, percents[1:]):
        assert labeled(smaller) < labeled(larger)


def test_no_training_video_is_tested():
    test = set(read_split(LISTS / 'test.txt'))
    assert len(test) == 910
    assert not test & set(read_split(LISTS / 'train.txt'))


def test_no_other_lists():
    names = {path.relative_to(LISTS).as_posix() for path in LISTS.rglob('*.txt')}
    expected = {'train.txt', 'test.txt'}
    for percent in PUBLISHED:
        expected |= {f'{percent}_seed47/{x}.txt' for x in ('labeled', 'unlabeled')}
    assert names == expected


@needs_ucf24_mini
def test_the_tools_make_the_same_lists(tmp_path, monkeypatch):
    annotations = tmp_path / 'annotations.json'
    source, testlist = UCF24_MINI / 'pyannot.pkl', UCF24_MINI / 'testlist01.txt'
    convert_ucf24.main(
        [str(source), '--out', str(annotations), '--testlist', str(testlist)]
    )
    data = load_annotations(annotations)  # once, not for every fraction
    monkeypatch.setattr(make_split, 'load_annotations', lambda path: data)
    splits = tmp_path / 'splits'
    for percent in PUBLISHED:
        arguments = ['--train', splits / 'train.txt', '--test', splits / 'test.txt']
        arguments += ['--fraction', percent / 100, '--seed', 47]
        arguments += ['--out-dir', splits / f'{percent}_seed47']
        make_split.main([str(annotations), *map(str, arguments)])
    made = {p.relative_to(splits): p.read_bytes() for p in splits.rglob('*.txt')}
    assert made == {p.relative_to(LISTS): p.read_bytes() for p in LISTS.rglob('*.txt')}
