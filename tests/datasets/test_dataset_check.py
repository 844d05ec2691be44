import multiprocessing
import os
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssvad.datasets import dataset_check
from ssvad.datasets.dataset_check import (
    VideoFacts,
    content_digest,
    content_problems,
    counted_from_one,
    inspect_video,
    inspect_videos,
    split_problems,
    video_problems,
)
from ssvad.video_io import write_video

names = st.sampled_from(['labeled', 'unlabeled', 'test', 'train', 'val'])
ids = st.sampled_from('abcdef')


def write_clip(path, frames=5, seed=0):
    generator = np.random.default_rng(seed)
    write_video(path, generator.integers(0, 255, (frames, 16, 32, 3), np.uint8))
    return str(path)


def test_a_video_is_decoded_to_its_end(tmp_path):
    path = write_clip(tmp_path / 'a.mp4')
    facts = inspect_video(path)
    assert facts[:3] == (5, 32, 16)
    assert facts.digest and not facts.kind and not facts.reason


def test_what_cannot_be_decoded_is_told_with_what_came_before(tmp_path, monkeypatch):
    path = write_clip(tmp_path / 'a.mp4')

    def fail(name):
        yield np.zeros((16, 32, 3), np.uint8)
        raise MemoryError

    monkeypatch.setattr(dataset_check, 'iter_frames', fail)
    facts = inspect_video(path)
    assert (facts.num_frames, facts.width, facts.height) == (1, 32, 16)
    assert (facts.kind, facts.reason) == ('unreadable-video', 'MemoryError()')
    assert inspect_video(str(tmp_path / 'none.mp4')).kind == 'missing-video'


@pytest.mark.parametrize('raw', [b'', b'text', bytes(5000)])
def test_other_files_are_unreadable_videos(tmp_path, raw):
    (tmp_path / 'a.mp4').write_bytes(raw)
    facts = inspect_video(str(tmp_path / 'a.mp4'))
    assert facts.kind == 'unreadable-video' and 'a.mp4' in facts.reason
    assert facts.digest


def test_equal_digest_is_equal_content(tmp_path):
    for name, text in {'a': 'x', 'b': 'x', 'c': 'y'}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / f'{name}_folder').mkdir()
        for number in range(3):
            (tmp_path / f'{name}_folder/{number}.png').write_text(text * number)
    for ending in ('', '_folder'):
        a, b, c = (content_digest(str(tmp_path / f'{n}{ending}')) for n in 'abc')
        assert a == b != c


def test_each_video_is_inspected_once_and_counted(tmp_path):
    paths = [write_clip(tmp_path / f'{n}.mp4', 4 + n, n) for n in range(3)]
    paths.append(str(tmp_path / 'none.mp4'))
    steps = []
    facts = inspect_videos([*paths, paths[0]], 2, lambda: steps.append(1))
    assert len(steps) == 4
    assert [facts[path].num_frames for path in paths] == [4, 5, 6, 0]
    assert facts == {path: inspect_video(path) for path in paths}


@pytest.mark.skipif(
    multiprocessing.get_start_method() != 'fork',
    reason='only a forked process has the crashing decoder of this test',
)
def test_a_video_that_kills_its_process_is_a_finding(tmp_path, monkeypatch):
    decode = dataset_check.iter_frames

    def crash(name):
        if 'bad' in name:
            os._exit(11)
        return decode(name)

    monkeypatch.setattr(dataset_check, 'iter_frames', crash)
    paths = [write_clip(tmp_path / f'{n}.mp4', 4, i) for i, n in enumerate('ab')]
    paths[1:1] = [write_clip(tmp_path / 'bad.mp4'), write_clip(tmp_path / 'bad2.mp4')]
    steps = []
    facts = inspect_videos(paths, 2, lambda: steps.append(1))
    assert len(steps) == 4
    assert [facts[path].num_frames for path in paths] == [4, 0, 0, 4]
    assert facts[paths[1]].kind == 'unreadable-video'
    assert facts[paths[1]].reason.endswith(
        'bad.mp4: the process that decoded it was killed'
    )


ANNOTATED = {'id': 'v', 'num_frames': 5, 'width': 32, 'height': 16}
FOUND = VideoFacts(5, 32, 16, 'x')


@pytest.mark.parametrize('change, facts, kinds', [
    ({}, FOUND, []),
    ({'num_frames': 6}, FOUND, ['shorter-than-annotated']),
    ({'num_frames': 4}, FOUND, ['longer-than-annotated']),
    ({'height': 17}, FOUND, ['other-size']),
    ({'width': 16, 'height': 32}, FOUND, ['other-size']),
    ({'width': 64, 'num_frames': 4}, FOUND, ['longer-than-annotated', 'other-size']),
    # broken numbers are told by the rules of the annotation
    ({'width': None, 'num_frames': '5'}, FOUND, []),
    # a cut video is cut, whatever was annotated
    ({}, FOUND._replace(num_frames=3, kind='unreadable-video'), ['unreadable-video']),
    ({'width': 1}, VideoFacts(kind='missing-video'), ['missing-video']),
])  # fmt: skip
def test_file_and_annotation_are_compared(change, facts, kinds):
    problems = list(video_problems({**ANNOTATED, **change}, facts, "video 7 'v'"))
    assert [problem.kind for problem in problems] == kinds
    for problem in problems:
        assert problem.video == 'v' and problem.message.startswith("video 7 'v': ")


def test_messages_tell_both_numbers():
    (problem,) = video_problems({**ANNOTATED, 'num_frames': 61}, FOUND, 'v')
    assert 'num_frames 61, the file has 5' in problem.message
    (problem,) = video_problems({**ANNOTATED, 'width': 64}, FOUND, 'v')
    assert '64 x 16, the pictures have 32 x 16' in problem.message


@settings(deadline=None)
@given(
    splits=st.dictionaries(names, st.lists(ids, max_size=6)),
    known=st.sets(ids),
)
def test_split_problems_are_those_of_the_definition(splits, known):
    numbered = {name: list(enumerate(x, 1)) for name, x in splits.items()}
    found = Counter((p.kind, p.video) for p in split_problems(numbered, known))
    expected = Counter()
    for members in splits.values():
        expected['empty-split', None] += not members
        for video_id in set(members):
            count = members.count(video_id)
            expected['twice-in-split', video_id] += count - 1
            expected['unknown-in-split', video_id] += video_id not in known
    order = list(splits)
    for i, first in enumerate(order):
        for second in order[:i]:
            if 'train' in (first, second) and {first, second} & {
                'labeled',
                'unlabeled',
            }:
                continue
            for video_id in set(splits[first]) & set(splits[second]):
                expected['overlap', video_id] += 1
    assert found == +expected


def test_split_problems_name_list_line_and_id():
    splits = {'test': [(4, 'a'), (9, 'a'), (10, 'b')], 'val': [(1, 'b')]}
    messages = [problem.message for problem in split_problems(splits, {'b'})]
    assert messages == [
        "test: line 4: 'a' is not annotated",
        "test: line 9: 'a' stands on line 4 already",
        "'b' stands in test and in val",
    ]


@pytest.mark.parametrize('splits, kind', [
    ({}, 'same-content'),
    ({'labeled': ['a', 'b']}, 'same-content'),
    ({'labeled': ['a'], 'train': ['b']}, 'same-content'),
    ({'labeled': ['a'], 'unlabeled': ['b']}, 'same-content-across-splits'),
    ({'train': ['a'], 'test': ['b']}, 'same-content-across-splits'),
])  # fmt: skip
def test_one_content_under_two_ids(splits, kind):
    digests = {'a': 'same', 'c': 'other', 'b': 'same', 'gone': '', 'too': ''}
    (problem,) = content_problems(digests, splits)
    assert (problem.kind, problem.video) == (kind, 'a')
    for name, members in splits.items():
        for video_id in members:
            assert f"'{video_id}' ({name})" in problem.message


@pytest.mark.parametrize('boxes, hint', [
    ([[1, 1, 20, 16], [5, 5, 9, 9]], True),
    ([[0, 1, 20, 16]], False),
    ([[1, 0, 20, 16], [1, 1, 20, 15]], False),
    ([[1, 1, 20, 15]], False),
    ([[2, 2, 32, 16]], False),
    ([[1, float('nan'), 3, 3], [1, 1, 32, 3]], True),
    ([[float('nan')] * 4], False),
    ([], False),
])  # fmt: skip
def test_boxes_counted_from_one_are_suspected(boxes, hint):
    tubes = [{'boxes': [box]} for box in boxes]
    text = counted_from_one([{'width': 32, 'height': 16, 'tubes': tubes}])
    assert ('counted from 1?' in text) == hint
