"""What docs/videos.md shows, done with real videos."""

import re

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope

from ssvad.annotations import save_annotations, write_split
from ssvad.datasets import unreadable
from ssvad.datasets.unreadable import VideoReadError
from ssvad.video_io import write_video
from tests.helpers import ROOT

TEXT = (ROOT / 'docs/videos.md').read_text('utf-8')
POLICY, SOURCES = re.findall(r'```python\n(.*?)```', TEXT, re.DOTALL)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    init_default_scope('mmaction')
    frames = np.full((12, 240, 320, 3), 90, np.uint8)
    size = dict(width=320, height=240, num_frames=12)
    for name in ('videos/a', 'more/k/one', 'more/two', 'other/b'):
        write_video(f'data/{name}.mp4', frames)
    (tmp_path / 'data/more/bad.mp4').write_text('no video')
    tube = dict(label=0, start=0, boxes=[[10, 10, 90, 90]])
    for name, video in dict(a='a', other='b').items():
        entry = dict(id=video, file=f'{video}.mp4', tubes=[tube], **size)
        save_annotations(f'data/{name}.json', [f'class of {name}'], [entry])
    write_split('data/list.txt', ['k/one'])
    return tmp_path


def run(code):
    names = {}
    exec(code, names)
    return names


def test_the_policy_shown_is_the_default(data):
    shown = run(POLICY)
    for cfg in shown['labeled'], shown['unlabeled']:
        dataset = DATASETS.build(cfg)
        cfg.pop('on_error', None), cfg.pop('max_skipped', None)
        plain = DATASETS.build(cfg)
        assert dataset.max_skipped == plain.max_skipped == 10
        assert (dataset._skipped is None) == (plain._skipped is None)


def test_unlabelled_clips_come_from_a_folder_a_list_or_another_dataset(data):
    shown = run(SOURCES)
    folder, listed, other = (
        DATASETS.build(shown[name]) for name in ('folder', 'listed', 'other')
    )
    assert (len(folder), len(listed), len(other)) == (3, 1, 1)
    both = DATASETS.build(shown['unlabeled'])
    items = [both[index] for index in range(4)]
    assert [item['video_id'] for item in items][::2] == ['b', 'k/one']
    for item in [*items, listed[0], other[0]]:
        assert np.shape(item['imgs']) == (8, 224, 224, 3)
        assert not {'label', 'gt_tubes', 'tube_labels'} & set(item)
    with pytest.raises(VideoReadError, match=r'bad\.mp4: cannot open'):
        DATASETS.build(dict(shown['folder'], on_error='raise'))[0]


def test_numbers_and_names_are_those_of_the_code(data):
    assert unreadable.MAX_PIXELS // 10**6 == 67 and '67 million' in TEXT
    for path in re.findall(r'`((?:configs|tests|tools)/\S+?\.(?:py|sh))`', TEXT):
        assert (ROOT / path).is_file()
