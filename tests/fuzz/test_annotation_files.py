"""Annotation files, mask files and split lists of strangers."""

import json

import numpy as np
import pytest
from hypothesis import strategies as st

from ssvad.annotations import (
    load_annotations,
    load_masks,
    read_split,
    save_annotations,
    save_masks,
    write_split,
)
from tests.fuzz.mutations import (
    ODD_NUMPY,
    TEXTS,
    check_sound,
    damaged,
    fuzz,
    json_bytes,
    npz_bytes,
    spoilt,
)
from tests.fuzz.sandbox import attempt

BOXES = [[1, 2, 30.5, 40], [2, 2, 31.25, 40]]
ANNOTATIONS = {
    'format': 'ssvad-tubes-1',
    'classes': ['jump', 'run'],
    'videos': [
        {
            'id': 'jump/a',
            'file': 'jump/a.mp4',
            'masks': 'jump/a.npz',
            'width': 64,
            'height': 48,
            'num_frames': 9,
            'tubes': [
                {'label': 0, 'start': 3, 'boxes': BOXES},
                {'label': 0, 'start': 7, 'boxes': BOXES[:1]},
            ],
        },
        dict(id='b', file='b.avi', width=320, height=240, num_frames=1, tubes=[]),
    ],
}
SHAPE = 5, 6, 7


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


def annotations_again(path):
    """Whether what is read is read again from what is written."""
    data, again = load_annotations(path), path.with_name('again.json')
    save_annotations(again, data['classes'], data['videos'])
    copy = load_annotations(again)
    check_sound(copy)
    return data['videos'] == copy['videos'] and data['classes'] == copy['classes']


def read_annotations(folder, raw):
    path = folder / 'a.json'
    path.write_bytes(raw)
    again = attempt('annotation JSON', annotations_again, [path], path)
    assert again in (None, True)


@fuzz(150, tree=spoilt(ANNOTATIONS))
def test_annotations_of_another_structure(folder, tree):
    read_annotations(folder, json_bytes(tree))


@fuzz(50, raw=damaged(json.dumps(ANNOTATIONS).encode()))
def test_annotations_of_other_bytes(folder, raw):
    read_annotations(folder, raw)


MASKS = np.random.default_rng(0).integers(0, 2, SHAPE, np.uint8)


@pytest.fixture(scope='module')
def masks(folder):
    save_masks(folder / 'whole.npz', MASKS)
    return (folder / 'whole.npz').read_bytes()


def read_masks(folder, raw):
    (folder / 'a.npz').write_bytes(raw)
    args = folder / 'a.npz', np.arange(5), SHAPE
    return attempt('mask npz', load_masks, args, 'a.npz')


@fuzz(60, data=st.data())
def test_masks_of_other_bytes_are_refused_or_the_same(folder, masks, data):
    found = read_masks(folder, data.draw(damaged(masks)))
    assert found is None or np.array_equal(found, MASKS)


ARRAYS = {'shape': np.array(SHAPE), 'bits': np.zeros((5, 6), np.uint8)}


@fuzz(60, arrays=spoilt(ARRAYS, ODD_NUMPY))
def test_masks_of_other_arrays(folder, arrays):
    found = read_masks(folder, npz_bytes(arrays))
    assert found is None or (found.shape == SHAPE and found.max() <= 1)


IDS = ['jump/a', 'b', 'c é']


def split_again(path):
    ids, again = read_split(path), path.with_name('again.txt')
    write_split(again, ids)
    return ids == read_split(again) and len(set(ids)) == len(ids)


LIST = '# train\n\n{}\n{}\n{}\n'.format(*IDS).encode()


@fuzz(60, raw=damaged(LIST) | st.binary())
def test_split_lists(folder, raw):
    path = folder / 'a.txt'
    path.write_bytes(raw)
    assert attempt('split list', split_again, [path], path) in (None, True)


@fuzz(
    60,
    name=st.sampled_from(TEXTS) | st.text('./\\:a', max_size=6),
    box=st.lists(st.integers(-1, 65) | st.floats(), min_size=4, max_size=4),
)
def test_names_and_boxes(folder, name, box):
    video = {**ANNOTATIONS['videos'][0], 'file': name}
    read_annotations(folder, json_bytes({**ANNOTATIONS, 'videos': [video]}))
    tube = {'label': 0, 'start': 0, 'boxes': [box]}
    video = {**ANNOTATIONS['videos'][0], 'tubes': [tube]}
    read_annotations(folder, json_bytes({**ANNOTATIONS, 'videos': [video]}))
    low = [-1, *map(abs, box[1:2]), 9, 9]
    video = {**video, 'tubes': [{**tube, 'boxes': [low]}]}
    read_annotations(folder, json_bytes({**ANNOTATIONS, 'videos': [video]}))
