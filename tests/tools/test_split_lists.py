"""The committed lists of the published fractions."""

from collections import Counter

import pytest

import convert_ucf24
import make_split
from ssvad.annotations import load_annotations, read_split, split_by_class
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini

LISTS = ROOT / 'data_lists/ucf24'
PUBLISHED = {5: 101, 8: 171, 10: 216, 15: 331, 20: 445, 25: 563}
# of JHMDB-21 the sizes for 20 and 30 % are published
LABELED = dict(ucf24=PUBLISHED, jhmdb21={10: 53, 15: 89, 20: 122, 25: 155, 30: 189})
TRAINING = dict(ucf24=2284, jhmdb21=660)
CLASSES = dict(ucf24=24, jhmdb21=21)


def lists_of(dataset, percent):
    """Labelled and unlabelled names."""
    folder = ROOT / f'data_lists/{dataset}/{percent}_seed47'
    return tuple(
        set(read_split(folder / f'{kind}.txt')) for kind in ('labeled', 'unlabeled')
    )


@pytest.mark.parametrize(
    ('dataset', 'percent'), [(name, p) for name in LABELED for p in LABELED[name]]
)
def test_lists_divide_the_training_videos(dataset, percent):
    train = read_split(ROOT / f'data_lists/{dataset}/train.txt')
    labeled, unlabeled = lists_of(dataset, percent)
    assert (len(train), len(labeled)) == (TRAINING[dataset], LABELED[dataset][percent])
    assert not labeled & unlabeled
    assert labeled | unlabeled == set(train)
    # of every class the same share, rounded down; the class is the folder
    videos = Counter(name.split('/')[0] for name in train)
    chosen = Counter(name.split('/')[0] for name in labeled)
    assert chosen == {name: n * percent // 100 for name, n in videos.items()}
    assert len(videos) == CLASSES[dataset]


@pytest.mark.parametrize('dataset', LABELED)
def test_larger_lists_contain_the_smaller(dataset):
    percents = list(LABELED[dataset])
    for smaller, larger in zip(percents, percents[1:]):
        assert lists_of(dataset, smaller)[0] < lists_of(dataset, larger)[0]


def test_no_training_video_is_tested():
    test = set(read_split(LISTS / 'test.txt'))
    assert len(test) == 910
    assert not test & set(read_split(LISTS / 'train.txt'))


@pytest.mark.parametrize('dataset', LABELED)
def test_no_other_lists(dataset):
    folder = ROOT / 'data_lists' / dataset
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*.txt')}
    expected = {'train.txt', 'test.txt'} if dataset == 'ucf24' else {'train.txt'}
    for percent in LABELED[dataset]:
        expected |= {f'{percent}_seed47/{x}.txt' for x in ('labeled', 'unlabeled')}
    assert names == expected


def test_lists_of_jhmdb21_are_what_the_tool_draws():
    train = read_split(ROOT / 'data_lists/jhmdb21/train.txt')
    classes = sorted({name.split('/')[0] for name in train})
    videos = [
        dict(id=name, tubes=[dict(label=classes.index(name.split('/')[0]))])
        for name in train
    ]
    for percent in LABELED['jhmdb21']:
        labeled, unlabeled = split_by_class(videos, percent / 100, 47)
        assert (set(labeled), set(unlabeled)) == lists_of('jhmdb21', percent)


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
