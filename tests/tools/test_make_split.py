import importlib.util

import pytest

from ssvad.annotations import read_split, save_annotations, write_split
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini


def load_tool(name):
    path = ROOT / f'tools/{name}.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool('make_split')


def video(video_id, label):
    size = {'width': 8, 'height': 8, 'num_frames': 1}
    tube = {'label': label, 'start': 0, 'boxes': [[0, 0, 4, 4]]}
    return {'id': video_id, 'file': f'{video_id}.mp4', **size, 'tubes': [tube]}


@pytest.fixture
def folder(tmp_path):
    videos = [video(f'a{i}', 0) for i in range(9)]
    videos += [video(f'b{i}', 1) for i in range(3)]
    save_annotations(tmp_path / 'ann.json', ['A', 'B'], videos)
    write_split(tmp_path / 'train.txt', [v['id'] for v in videos if v['id'] != 'a8'])
    write_split(tmp_path / 'test.txt', ['a8'])
    return tmp_path


def run(folder, *more, fraction='0.25', seed='1'):
    arguments = [str(folder / 'ann.json'), '--train', str(folder / 'train.txt')]
    arguments += ['--test', str(folder / 'test.txt'), '--fraction', fraction]
    tool.main([*arguments, '--seed', seed, '--out-dir', str(folder / 'out'), *more])
    return [read_split(folder / f'out/{name}.txt') for name in ('labeled', 'unlabeled')]


def test_lists_cover_the_training_videos(folder, capsys):
    labeled, unlabeled = run(folder)
    assert len(labeled) == 2
    assert all(name.startswith('a') for name in labeled)
    assert sorted(labeled + unlabeled) == sorted(read_split(folder / 'train.txt'))
    assert 'warning: no labelled video of B' in capsys.readouterr().out
    head = (folder / 'out/labeled.txt').read_text().splitlines()[0]
    assert head == '# fraction 0.25, seed 1, per class, rounded down'
    assert run(folder) == [labeled, unlabeled]


def test_no_warning_when_every_class_is_labelled(folder, capsys):
    run(folder, fraction='0.4')
    assert 'warning:' not in capsys.readouterr().out


def test_overlap_with_the_test_list_is_refused(folder):
    write_split(folder / 'test.txt', ['a8', 'b1', 'a2'])
    with pytest.raises(ValueError, match="2 training videos .* test list .* 'a2'"):
        run(folder)
    assert not (folder / 'out').exists()


def test_unknown_video_is_refused(folder):
    write_split(folder / 'train.txt', ['a1', 'c1'])
    with pytest.raises(ValueError, match="not in the annotation file.* 'c1'"):
        run(folder)


def test_fraction_that_labels_nothing_writes_nothing(folder):
    with pytest.raises(ValueError, match='labels no video'):
        run(folder, fraction='0.1')
    assert not (folder / 'out').exists()


def test_unlabelled_part_can_be_a_multiple_of_the_labelled(folder):
    everything = run(folder)
    rest = set(everything[1])
    lists = {}
    for times in (1, 2, 3):
        labeled, lists[times] = run(folder, '--unlabeled-times', str(times))
        assert labeled == everything[0]
        assert len(lists[times]) == times * len(labeled)
        # no class without a labelled video
        assert all(name.startswith('a') for name in lists[times])
    assert set(lists[1]) < set(lists[2]) < set(lists[3]) <= rest
    assert set(lists[1]) != set(run(folder, '--unlabeled-times', '1', seed='2')[1])
    head = (folder / 'out/unlabeled.txt').read_text().splitlines()[0]
    assert head.endswith('rounded down, 1 unlabelled for each labelled')


def test_a_multiple_is_taken_of_every_class(folder):
    labeled, unlabeled = run(folder, '--unlabeled-times', '1', fraction='0.4')
    assert [name[0] for name in labeled] == ['a'] * 3 + ['b']
    assert [name[0] for name in unlabeled] == ['a'] * 3 + ['b']
    assert not set(labeled) & set(unlabeled)


def test_labelled_and_unlabelled_lists_of_one_seed_grow_in_one_order(folder):
    labeled, unlabeled = run(folder, '--unlabeled-times', '1', fraction='0.25')
    assert set(run(folder, fraction='0.5')[0]) >= set(labeled + unlabeled)


@pytest.mark.parametrize('times, message', [
    ('4', "class 'A' has 2 labelled videos and 6 others, 4 times would be 8"),
    ('0', 'at least 1 times'),
])  # fmt: skip
def test_impossible_multiples_write_nothing(folder, times, message):
    with pytest.raises(ValueError, match=message):
        run(folder, '--unlabeled-times', times)
    assert not (folder / 'out').exists()


@needs_ucf24_mini
def test_ucf24_counts_are_the_published_ones():
    convert = load_tool('convert_ucf24')
    findings = convert.Findings()
    pyannot = convert.read_source(UCF24_MINI / 'pyannot.pkl', findings)
    classes, videos = convert.convert(pyannot, 'avi', findings)
    test = convert.read_testlist(UCF24_MINI / 'testlist01.txt')
    train = sorted(set(pyannot) - set(test))
    data = {'classes': classes, 'videos': videos}
    for fraction, count in (
        (0.05, 101), (0.08, 171), (0.1, 216), (0.15, 331), (0.2, 445), (0.25, 563)
    ):  # fmt: skip
        labeled, unlabeled = tool.make_split(data, train, fraction, 47, test)
        assert (len(labeled), len(unlabeled)) == (count, 2284 - count)
        if fraction == 0.2:
            some = tool.limit_unlabeled(data, labeled, unlabeled, 4, 47)
            assert len(some) == 4 * 445 and set(some) <= set(unlabeled)
