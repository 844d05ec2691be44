import pytest
from hypothesis import given
from hypothesis import strategies as st

import split_folder as tool
from ssvad.annotations import read_split, save_annotations

BOX = [[1, 2, 3, 4]]


def annotation(label=None, **changes):
    tubes = [] if label is None else [dict(label=label, start=0, boxes=BOX)]
    return dict(dict(width=8, height=8, num_frames=1, tubes=tubes), **changes)


@pytest.fixture
def folder(tmp_path):
    """Ten annotated videos of two classes, one without tubes, three others."""
    names = [f'day {i % 2}/clip{i}.mp4' for i in range(10)]
    # the id need not be the name of the file
    videos = [annotation(i % 2, id=f'id{i}', file=name) for i, name in enumerate(names)]
    videos.append(annotation(id='idle', file='idle.mp4'))
    others = ['idle.mp4', 'new/a.MP4', 'new/b.avi', 'c.webm']
    for name in [*names, *others, 'notes.txt']:
        path = tmp_path / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    save_annotations(tmp_path / 'a.json', ['jump', 'run'], videos)
    return tmp_path


def run(folder, *options):
    tool.main(
        [f'{folder}/a.json', f'{folder}/videos/', '--out-dir', f'{folder}/splits']
        + ['--seed', '0', '--test-fraction', '0.4', *options]
    )
    names = ('labeled', 'test', 'unlabeled')
    return [read_split(folder / f'splits/{name}.txt') for name in names]


def test_every_video_stands_in_one_list(folder, capsys):
    labeled, test, unlabeled = run(folder)
    assert sorted(labeled + test) == [f'id{i}' for i in range(10)]
    assert sorted(unlabeled) == ['c', 'idle', 'new/a', 'new/b']
    # two of five of each class
    assert sorted(int(name[2:]) % 2 for name in test) == [0, 0, 1, 1]
    printed = capsys.readouterr().out
    assert f'6 videos -> {folder}/splits/labeled.txt: jump 3, run 3\n' in printed
    assert f'4 videos -> {folder}/splits/unlabeled.txt\n' in printed


def test_the_seed_decides(folder):
    assert run(folder) == run(folder)
    assert len({tuple(run(folder, '--seed', str(i))[1]) for i in range(5)}) > 1


@given(st.integers(1, 20), st.integers(2, 9), st.integers(0, 3))
def test_lists_are_a_partition(count, tenths, seed):
    videos = [annotation(i % 3, id=f'v{i}', file=f'{i}.mp4') for i in range(3 * count)]
    names = [str(i) for i in range(3 * count + 4)]
    data = dict(classes=['a', 'b', 'c'], videos=videos)
    if count * tenths < 10:
        with pytest.raises(ValueError, match='no videos to test on: '):
            tool.split_folder(data, names, tenths / 10, seed)
        return
    lists = tool.split_folder(data, names, tenths / 10, seed)
    assert len(lists['test']) == 3 * (count * tenths // 10)
    assert sorted(lists['test'] + lists['labeled']) == sorted(v['id'] for v in videos)
    assert lists['unlabeled'] == names[-4:]


def test_annotated_videos_must_be_there(folder):
    (folder / 'videos/day 1/clip3.mp4').unlink()
    with pytest.raises(SystemExit, match="1 of 10 .* the first is 'day 1/clip3'"):
        run(folder)


def test_a_video_may_have_become_a_folder_of_frames(folder):
    before = run(folder)
    (folder / 'videos/day 1/clip3.mp4').unlink()
    (folder / 'videos/day 1/clip3').mkdir()
    (folder / 'videos/day 1/clip3/img_00001.jpg').touch()
    assert run(folder) == before


def test_something_must_be_annotated(folder):
    save_annotations(folder / 'a.json', ['jump'], [annotation(id='c', file='c.webm')])
    with pytest.raises(SystemExit, match='no video .* has a tube'):
        run(folder)


def test_something_must_be_unlabelled(folder):
    for name in ('idle.mp4', 'new/a.MP4', 'new/b.avi', 'c.webm'):
        (folder / 'videos' / name).unlink()
    with pytest.raises(SystemExit, match='every video .* is annotated'):
        run(folder)
