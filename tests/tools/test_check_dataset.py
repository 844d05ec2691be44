"""tools/check_dataset.py on a dataset with every mistake, and on sound ones."""

import json

import numpy as np
import pytest

import check_dataset
from check_report import KINDS
from ssvad.annotations import save_annotations, write_split
from ssvad.video_io import write_video
from tests.helpers import UCF24_MINI, needs_ucf24_mini

WIDTH, HEIGHT, FRAMES = 32, 16, 8
BOX = [0, 2, 10, 12]


def entry(video_id, boxes=(BOX,), label=0, start=0, **fields):
    tube = {'label': label, 'start': start, 'boxes': [list(box) for box in boxes]}
    size = {'width': WIDTH, 'height': HEIGHT, 'num_frames': FRAMES}
    return {
        'id': video_id,
        'file': f'{video_id}.mp4',
        **size,
        'tubes': [tube],
        **fields,
    }


def write_clip(path, seed, frames=FRAMES):
    generator = np.random.default_rng(seed)
    write_video(path, generator.integers(0, 255, (frames, HEIGHT, WIDTH, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Three sound videos, their annotation and their lists."""
    for number, name in enumerate(('a/1', 'a/2', 'b/é 3')):
        write_clip(tmp_path / f'videos/{name}.mp4', number)
    videos = [entry('a/1'), entry('a/2', label=1), entry('b/é 3', [BOX, BOX])]
    save_annotations(tmp_path / 'annotations.json', ['x', 'y'], videos)
    for name, ids in (('labeled', ['a/1', 'b/é 3']), ('test', ['a/2'])):
        write_split(tmp_path / f'{name}.txt', ids)
    return tmp_path


@pytest.fixture
def check(folder, capsys):
    """Run the tool; returns the exit status, the report and what it printed."""

    def start(*more, ann='annotations.json'):
        arguments = [folder / ann, '--data-prefix', folder / 'videos']
        arguments += ['--workers', 2, '--out', folder / 'report.json', *more]
        status = check_dataset.main([str(argument) for argument in arguments])
        report = json.loads((folder / 'report.json').read_text())
        return status, report, capsys.readouterr()

    return start


def write_raw(folder, videos, classes=('x', 'y')):
    data = {'format': 'ssvad-tubes-1', 'classes': classes, 'videos': videos}
    (folder / 'annotations.json').write_text(json.dumps(data))


def spoil(folder):
    """Make the dataset break every rule; returns ids by kind."""
    videos = folder / 'videos'
    for number, name in enumerate(('short', 'long', 'sound'), 5):
        frames = FRAMES + {'short': -2, 'long': 3}.get(name, 0)
        write_clip(videos / f'{name}.mp4', number, frames)
    (videos / 'text.mp4').write_text('not a video')
    (videos / 'twin.mp4').write_bytes((videos / 'a/1.mp4').read_bytes())
    (videos / 'leak.mp4').write_bytes((videos / 'a/2.mp4').read_bytes())
    nan = float('nan')
    bad = {
        'bad-entry': entry('sound7', num_frames=None),
        'bad-path': entry('../out', file='../videos/sound.mp4'),
        'bad-label': entry('sound', label=7),
        'tube-outside-video': entry('sound1', [BOX] * 3, start=6),
        'box-not-finite': entry('sound2', [BOX, [nan, 0, 1, 1]]),
        'box-inverted': entry('sound3', [BOX, [9, 0, 1, 1], [8, 0, 1, 1]]),
        'box-empty': entry('sound4', [BOX, [9, 0, 9, 1]]),
        'box-outside-frame': entry('sound5', [BOX, [0, 0, WIDTH + 9, 1]]),
        'missing-video': entry('gone'),
        'unreadable-video': entry('text'),
        'shorter-than-annotated': entry('short'),
        'longer-than-annotated': entry('long'),
        'other-size': entry('sound6', width=WIDTH * 2),
        'same-content': entry('twin'),
        'same-content-across-splits': entry('leak'),
    }
    for number, video in enumerate(bad.values()):
        if video['id'].startswith('sound'):
            name = f'{video["id"]}.mp4'
            write_clip(videos / name, number + 10)
    sound = [entry('a/1'), entry('a/2', label=1), entry('b/é 3')]
    write_raw(folder, [*sound, *bad.values(), entry('a/1')], ['x', 'y', 'y'])
    splits = {
        'labeled': ['a/1', 'a/1', 'twin', 'leak', 'sound1', 'nobody', 'b/e\u0301 3'],
        'test': ['a/2', 'b/é 3', 'sound1'],
    }
    for name, ids in splits.items():
        write_split(folder / f'{name}.txt', ids)
    (folder / 'none.txt').write_text('# nothing\n')
    (folder / 'binary.txt').write_bytes(b'\xff\xfe')
    names = {kind: video['id'] for kind, video in bad.items()}
    # named by the first of the twins
    return {**names, 'same-content': 'a/1', 'same-content-across-splits': 'a/2'}


def test_every_kind_of_problem_is_found_at_once(folder, check):
    expected = {(kind, name) for kind, name in spoil(folder).items()}
    expected |= {
        ('unreadable-file', None),
        ('bad-classes', None),
        ('duplicate-id', 'a/1'),
        ('empty-split', None),
        ('twice-in-split', 'a/1'),
        ('unknown-in-split', 'nobody'),
        ('unknown-in-split', 'b/e\u0301 3'),
        ('overlap', 'sound1'),
    }
    lists = [f'{name}.txt' for name in ('labeled', 'test', 'none', 'binary')]
    status, report, printed = check('--split', *(folder / name for name in lists))
    found = [(item['kind'], item['video']) for item in report['problems']]
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert {kind for kind, _ in found} == set(KINDS)
    assert status == 1
    lines = printed.out.splitlines()
    assert f'{len(found)} problems' in lines
    # each is told in words that name place and value, and what to do
    for item in report['problems']:
        assert f'  {item["message"]}' in lines
    assert f'1 box-inverted: {KINDS["box-inverted"]}' in lines
    place = "video 8 'sound3': tube 0: frame 1: box [x1, y1, x2, y2] must have x1 < x2"
    assert any(place in line and line.endswith('1 more of its boxes') for line in lines)


def test_a_sound_dataset(folder, check):
    status, report, printed = check()
    assert (status, report['problems'], report['hints']) == (0, [], [])
    assert report['videos'] == 3
    assert report['classes']['all'] == {
        'x': {'videos': 2, 'tubes': 2, 'boxes': 3, 'frames': 2 * FRAMES},
        'y': {'videos': 1, 'tubes': 1, 'boxes': 1, 'frames': FRAMES},
    }
    assert printed.out.splitlines()[-1] == 'nothing wrong'
    # the bar does not get into a report that is written to a file
    assert '3/3' in printed.err and '3/3' not in printed.out


def test_classes_of_each_list_and_what_is_missing_in_one(folder, check):
    idle = entry('a/2', tubes=[])
    save_annotations(
        folder / 'annotations.json',
        ['x', 'y'],
        [entry('a/1', label=1), idle, entry('b/é 3')],
    )
    lists = [f'{name}={folder / name}.txt' for name in ('labeled', 'test')]
    write_split(folder / 'labeled.txt', ['a/1', 'a/2'])
    write_split(folder / 'test.txt', ['b/é 3'])
    status, report, printed = check('--split', lists[0], '--split', lists[1])
    row = {'videos': 1, 'tubes': 1, 'boxes': 1, 'frames': FRAMES}
    none = {'videos': 1, 'tubes': 0, 'boxes': 0, 'frames': FRAMES}
    assert report['classes'] == {
        'labeled': {'y': row, '(no tubes)': none},
        'test': {'x': row},
    }
    assert report['splits'] == {'labeled': 2, 'test': 1}
    assert report['hints'] == ['labeled has no video of x', 'test has no video of y']
    table = [line.split() for line in printed.out.splitlines()]
    assert ['x', '0', '0', '0', '1', '1', '8'] in table
    assert status == 0


def test_videos_in_no_list_and_a_wrong_folder_are_hinted_at(folder, check):
    (folder / 'videos').rename(folder / 'elsewhere')
    (folder / 'videos').mkdir()
    status, report, _ = check('--split', folder / 'test.txt')
    assert status == 1
    assert {item['kind'] for item in report['problems']} == {'missing-video'}
    assert report['hints'] == [
        'no video at all was found: is --data-prefix right?',
        "2 videos stand in no list, the first is 'a/1'",
    ]


def test_the_training_list_may_hold_its_parts_and_nothing_else(folder, check):
    write_split(folder / 'train.txt', ['a/1', 'b/é 3'])
    write_split(folder / 'unlabeled.txt', ['b/é 3'])
    write_split(folder / 'labeled.txt', ['a/1'])
    names = [folder / f'{name}.txt' for name in ('train', 'labeled', 'unlabeled')]
    assert check('--split', *names, folder / 'test.txt')[0] == 0
    write_split(folder / 'train.txt', ['a/1', 'b/é 3', 'a/2'])
    status, report, _ = check('--split', *names, folder / 'test.txt')
    (problem,) = report['problems']
    assert problem['message'] == "'a/2' stands in train and in test"
    assert status == 1


def test_allowed_kinds_are_told_and_do_not_count(folder, check):
    write_clip(folder / 'videos/a/1.mp4', 5, FRAMES + 4)
    assert check()[0] == 1
    status, report, printed = check('--allow', 'longer-than-annotated')
    assert status == 0 and len(report['problems']) == 1
    assert '1 longer-than-annotated (allowed): ' in printed.out
    assert check('--allow', 'other-size')[0] == 1


def test_only_some_of_many_are_shown(folder, check):
    write_raw(folder, [entry(f'v{number}') for number in range(9)])
    status, report, printed = check()
    assert len(report['problems']) == 9
    lines = printed.out.splitlines()
    assert sum('no such file' in line for line in lines) == 5
    assert '  ... and 4 more' in lines and '9 problems' in lines


@pytest.mark.parametrize(
    'raw', ['[1, 2', '{"format": "coco"}', '{"format": "ssvad-tubes-1"}']
)
def test_other_files_are_a_finding(folder, check, raw):
    (folder / 'annotations.json').write_text(raw)
    status, report, _ = check('--split', folder / 'test.txt')
    assert status == 1
    assert report['problems'][0]['kind'] in ('unreadable-file', 'bad-classes')


def test_names_that_leave_the_folder_are_not_opened(folder, check, monkeypatch):
    opened = []
    monkeypatch.setattr(
        check_dataset, 'inspect_videos', lambda names, *_: opened.extend(names) or {}
    )
    files = [str(folder / 'annotations.json'), '../annotations.json', 'a\\b', 7, None]
    write_raw(folder, [entry(f'v{i}', file=file) for i, file in enumerate(files)])
    _, report, _ = check()
    assert [item['kind'] for item in report['problems']] == ['bad-path'] * 5
    assert not opened


def test_names_cannot_write_to_the_terminal(folder, check):
    evil = 'a\x1b[2J\ud800'
    write_raw(folder, [entry(evil), 3, entry('a/1', file=None)], ['x', 'y'])
    (folder / 'test.txt').write_text('\x1b[2J')
    _, report, printed = check('--split', folder / 'test.txt')
    assert '\x1b' not in printed.out and '\\x1b[2J\\ud800' in printed.out
    assert report['problems'][0]['video'] == evil


@pytest.mark.parametrize('arguments, message', [
    (['none.json', '--data-prefix', 'videos'], 'none.json: no such file'),
    (['annotations.json', '--data-prefix', 'none'], 'none: no such folder'),
    (['annotations.json'], '--data-prefix'),
    (['annotations.json', '--data-prefix', 'videos', '--workers', '0'], 'got 0'),
    (['annotations.json', '--data-prefix', 'videos', '--split', 'x=no'], 'no: no such'),
    (['annotations.json', '--data-prefix', 'videos', '--allow', 'x'], "choice: 'x'"),
    (
        ['annotations.json', '--data-prefix', 'videos', '--split', 'a=test.txt',
         'a=labeled.txt'],
        'two split lists are called a',
    ),
])  # fmt: skip
def test_wrong_commands_end_with_2(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        check_dataset.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_exit_status_of_the_script(folder, tool):
    command = folder / 'annotations.json', '--data-prefix', folder / 'videos'
    for status in (0, 1):
        with pytest.raises(SystemExit) as ended:
            tool('check_dataset.py', *command, '--workers', 1)
        assert ended.value.code == status
        (folder / 'videos/a/1.mp4').unlink(missing_ok=True)


@needs_ucf24_mini
def test_the_real_clips_are_sound_but_for_the_size_of_the_raw_stream(tmp_path, capsys):
    frames = dict(Basketball=101, Biking=151, CliffDiving=92, Fencing=174)
    frames.update(HorseRiding=98, SalsaSpin=168)
    videos = [
        entry(path.stem, file=path.relative_to(UCF24_MINI).as_posix())
        for path in sorted(UCF24_MINI.glob('rgb-videos/*/*.mp4'))
    ]
    videos.append(entry('raw', file='raw_mpeg4_stream.mp4'))
    for video, length in zip(videos, [*frames.values(), 101]):
        video.update(width=320, height=240, num_frames=length)
    save_annotations(tmp_path / 'a.json', ['x'], videos)
    arguments = [str(tmp_path / 'a.json'), '--data-prefix', str(UCF24_MINI)]
    assert check_dataset.main([*arguments, '--workers', '2']) == 1
    lines = capsys.readouterr().out.splitlines()
    (place,) = (i for i, line in enumerate(lines) if line.startswith('1 other-size:'))
    told = "video 6 'raw': annotated as 320 x 240, the pictures have 340 x 256"
    assert told in lines[place + 1]
    assert lines[-1] == '1 problems'
