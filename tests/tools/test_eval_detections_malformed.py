"""What is wrong with a file is said with file, index and value, and status 1."""

import copy
import json
import re

import numpy as np
import pytest

import eval_detections as tool
from tests.tools.detection_files import complaint, write_json

NPZ_BOXES = dict(
    video=np.array([0, 1, 1]),
    frame=np.array([1, 20, 2]),
    label=np.array([0, 1, 1]),
    score=np.array([0.5, 0.25, 0.75]),
    boxes=np.array([[11.0, 11, 50, 50]] * 3),
)
NPZ_TUBES = dict(
    video=np.array([0, 1]),
    label=np.array([1, 0]),
    score=np.array([0.5, 0.25]),
    start=np.array([1, 19]),
    box_offset=np.array([0, 3, 5]),
    boxes=np.array([[11.0, 11, 50, 50]] * 5),
)
COCO_BOXES = [
    {'video': 'b', 'frame': 19, 'label': 1, 'score': 0.5, 'bbox': [10, 10, 40, 40]},
    {'image_id': 7, 'category_id': 2, 'score': 0.5, 'bbox': [10, 10, 40, 40]},
]
COCO_TUBES = [
    {'video_id': 5, 'category_id': 2, 'score': 0.5, 'bboxes': [None, [10, 10, 40, 40]]}
]
TABLES = {
    'videos': [{'id': 5, 'file_name': 'a/1.mp4'}, {'id': 6, 'name': 'other'}],
    'images': [{'id': 7, 'video_id': 5, 'frame_id': 2}],
    'categories': [{'id': 2, 'name': 'run'}, {'id': 3, 'name': 'fly'}],
}


def changed(values, key, index, value):
    column = np.array(values[key], copy=True)
    if np.asarray(value).dtype.kind == 'f':
        column = column.astype(float)
    column[index] = value
    return {**values, key: column}


BAD_NPZ_BOXES = [
    (changed(NPZ_BOXES, 'video', 2, 2), "row 2: video 2, expected .* in 0..1"),
    (changed(NPZ_BOXES, 'video', 0, -1), 'row 0: video -1, expected'),
    (changed(NPZ_BOXES, 'frame', 1, 21), 'row 1: frame 21, expected .* in 1..20'),
    (changed(NPZ_BOXES, 'frame', 0, 4), 'row 0: frame 4, expected .* in 1..3'),
    (changed(NPZ_BOXES, 'frame', 1, 0), 'row 1: frame 0, expected .* in 1..20'),
    (changed(NPZ_BOXES, 'frame', 2, 1.5), r'row 2: frame 1\.5, expected a whole'),
    (changed(NPZ_BOXES, 'frame', 2, np.nan), 'row 2: frame nan'),
    (changed(NPZ_BOXES, 'label', 1, 2), 'row 1: class 2, expected .* in 0..1'),
    (changed(NPZ_BOXES, 'label', [0, 1, 2], -1), r'row 0: class -1, .*\(and 2 more\)'),
    (changed(NPZ_BOXES, 'score', 2, np.nan), 'row 2: score nan'),
    (changed(NPZ_BOXES, 'score', 2, np.inf), 'row 2: score inf'),
    (changed(NPZ_BOXES, 'boxes', 1, [60, 11, 50, 50.0]), r'row 1: box \[60.*x1 <= x2'),
    (changed(NPZ_BOXES, 'boxes', 1, [11, 51, 50, 50.0]), r'row 1: box .*y1 <= y2'),
    (changed(NPZ_BOXES, 'boxes', 1, [11, np.nan, 50, 50]), 'row 1: box .*nan.*finite'),
    (dict(NPZ_BOXES, score=np.zeros(2)), "'scores' to be numbers of shape .3,."),
    (dict(NPZ_BOXES, boxes=np.zeros((3, 5))), "'boxes' to be numbers of shape"),
    (dict(NPZ_BOXES, label=np.array(['a'] * 3)), "'label' to be numbers"),
    (dict(NPZ_BOXES, label=np.array([{}] * 3)), 'not an npz file of numbers'),
    (dict(NPZ_BOXES, video_offset=np.array([0, 1, 3])), "either 'video' or"),
    ({k: v for k, v in NPZ_BOXES.items() if k != 'frame'}, r"expected .*\['frame'\]"),
    (dict(NPZ_BOXES, names=np.array(['a/1', 'c'])), "row 1: video 'c' is not .*1 more"),
]  # fmt: skip


@pytest.mark.parametrize('arrays, message', BAD_NPZ_BOXES)
def test_npz_boxes(arrays, message, tmp_path, capsys):
    np.savez(tmp_path / 'boxes.npz', **arrays)
    err = complaint(capsys, tmp_path, '--boxes', tmp_path / 'boxes.npz')
    assert f'{tmp_path}/boxes.npz: ' in err
    assert re.search(message, err), err


@pytest.mark.parametrize(
    'offset, message',
    [
        ([0, 1], 'expected .video_offset. to be 3 whole numbers'),
        ([0, 4, 3], '4 at index 1'),
        ([1, 1, 3], 'first 1'),
        ([0, 1, 2], 'last 2'),
        ([0.0, 1, 3], 'whole numbers'),
    ],
)
def test_npz_offsets(offset, message, tmp_path, capsys):
    arrays = {k: v for k, v in NPZ_BOXES.items() if k != 'video'}
    np.savez(tmp_path / 'boxes.npz', video_offset=np.array(offset), **arrays)
    err = complaint(capsys, tmp_path, '--boxes', tmp_path / 'boxes.npz')
    assert re.search(message, err), err


@pytest.mark.parametrize(
    'arrays, message',
    [
        (changed(NPZ_TUBES, 'start', 1, 20), 'tube 1: box 1: frame 21, .* in 1..20'),
        (changed(NPZ_TUBES, 'start', 0, 0), 'tube 0: box 0: frame 0, .* in 1..3'),
        (changed(NPZ_TUBES, 'label', 1, 9), 'tube 1: box 0: class 9'),
        (changed(NPZ_TUBES, 'score', 1, np.nan), 'tube 1: box 0: score nan'),
        (changed(NPZ_TUBES, 'video', 0, 7), 'tube 0: box 0: video 7'),
        (changed(NPZ_TUBES, 'boxes', 4, [9, 9, 1, 9]), r'tube 1: box 1: box \[9'),
        (changed(NPZ_TUBES, 'box_offset', 1, 0), 'tube 0: has no box'),
        (changed(NPZ_TUBES, 'box_offset', 2, 4), 'last 4'),
        (dict(NPZ_TUBES, score=np.zeros(5)), "'score' to be numbers of shape .2,."),
    ],
)  # fmt: skip
def test_npz_tubes(arrays, message, tmp_path, capsys):
    np.savez(tmp_path / 'tubes.npz', **arrays)
    err = complaint(capsys, tmp_path, '--tubes', tmp_path / 'tubes.npz')
    assert re.search(message, err), err


@pytest.mark.parametrize(
    'index, key, value, message',
    [
        (0, 'video', 'c', "detection 0: video 'c' is not in the ground truth"),
        (0, 'video', ['b'], "detection 0: expected a text as 'video', got .*'b'"),
        (0, 'frame', 20, 'detection 0: frame 20.*, expected .* in 0..19'),
        (0, 'frame', '3', "detection 0: 'frame' must be a number, got '3'"),
        (0, 'frame', None, "detection 0: 'frame' must be a number, got None"),
        (0, 'label', 2, 'detection 0: class 2.*, expected .* in 0..1'),
        (0, 'score', float('nan'), 'detection 0: score nan'),
        (1, 'score', None, "detection 1: 'score' must be a number"),
        (0, 'bbox', [10, 10, -1, 5], r'detection 0: box .*, expected x1 < x2'),
        (0, 'bbox', [10, 10, 5, 0], r'detection 0: box .*, expected x1 < x2'),
        (0, 'bbox', [10, 10, 5], "detection 0: 'bbox' must be"),
        (0, 'bbox', [10, 10, 5, 10**400], "detection 0: each value of 'bbox'"),
        (1, 'image_id', 8, "detection 1: 'image_id' 8 is none of the 1 'images'"),
        (1, 'category_id', 1, "detection 1: 'category_id' 1 is none of the 2"),
        (1, 'category_id', 3, "detection 1: 'category_id' 3 is none of the classes"),
        (1, 'bboxes', [], "detection 1: has 'bboxes'"),
    ],
)
def test_coco_boxes(index, key, value, message, tmp_path, capsys):
    items = copy.deepcopy(COCO_BOXES)
    items[index][key] = value
    path = write_json(tmp_path / 'boxes.json', {'annotations': items, **TABLES})
    err = complaint(capsys, tmp_path, '--boxes', path)
    assert f'{path}: ' in err
    assert re.search(message, err), err


@pytest.mark.parametrize(
    'key, value, message',
    [
        ('bboxes', [[1, 2, 3, 4], None, [1, 2, 3, 4]], 'detection 0: box 1: frame 2 d'),
        ('bboxes', [None] * 3 + [[1, 2, 3, 4]], 'detection 0: box 0: frame 3'),
        ('bboxes', [None], 'detection 0: has no box'),
        ('bboxes', [[1, 2, 3]], "detection 0: frame 0: 'bbox' must be"),
        ('bboxes', 3, "expected a list 'bboxes', got 3"),
        ('video_id', 6, "detection 0: box 0: video 'other' is not in the ground truth"),
        ('video_id', 9, "'video_id' 9 is none of the 2 'videos'"),
    ],
)  # fmt: skip
def test_coco_tubes(key, value, message, tmp_path, capsys):
    tables = '--coco-tables', write_json(tmp_path / 'tables.json', TABLES)
    path = write_json(tmp_path / 'tubes.json', [{**COCO_TUBES[0], key: value}])
    err = complaint(capsys, tmp_path, '--tubes', path, *tables)
    assert re.search(message, err), err


@pytest.mark.parametrize(
    'text, message',
    [
        ('{', 'boxes.json: not a JSON text file'),
        ('[' * 100000, 'boxes.json: not a JSON text file'),
        ('3', 'boxes.json: expected a list of detections'),
        ('[3]', 'boxes.json: detection 0: expected an object, got 3'),
        ('{"annotations": [], "videos": [{"id": 1}]}', "video 1: expected a text as"),
        ('{"annotations": [], "videos": [{}]}', "'videos' 0: expected an object with"),
        ('{"annotations": [], "images": {}}', "expected an object with a list 'images"),
    ],
)  # fmt: skip
def test_files_that_are_no_coco(text, message, tmp_path, capsys):
    (tmp_path / 'boxes.json').write_text(text)
    err = complaint(capsys, tmp_path, '--boxes', tmp_path / 'boxes.json')
    assert re.search(message, err), err


def test_files_of_another_kind(tmp_path, capsys):
    empty = tmp_path / 'empty'
    empty.mkdir()
    (tmp_path / 'noise.npz').write_bytes(b'PK\x03\x04' + bytes(range(200)))
    (tmp_path / 'noise.pkl').write_bytes(bytes(range(200)))
    for kind, path in [
        ('--boxes', empty),
        ('--tubes', empty),
        ('--boxes', tmp_path / 'noise.npz'),
        ('--boxes', tmp_path / 'noise.pkl'),
        ('--tubes', tmp_path / 'noise.pkl'),
    ]:
        assert f'{path}' in complaint(capsys, tmp_path, kind, path)


def test_wrong_ground_truth(tmp_path, capsys):
    np.savez(tmp_path / 'boxes.npz', **NPZ_BOXES)
    boxes = '--boxes', str(tmp_path / 'boxes.npz')
    arrays = {f'tube_{k}': NPZ_TUBES[k] for k in ('video', 'label', 'start')}
    arrays.update({k: NPZ_TUBES[k] for k in ('box_offset', 'boxes')})
    meta = {'classes': ['jump', 'run'], 'videos': [
        {'name': 'a/1', 'num_frames': 3}, {'name': 'b', 'num_frames': 20}]}  # fmt: skip
    np.savez(tmp_path / 'gt.npz', **arrays)
    write_json(tmp_path / 'videos.json', meta)
    tool.main([str(tmp_path / 'gt.npz'), *boxes])
    capsys.readouterr()
    for broken, message in [
        ({}, "failed at KeyError('classes')"),
        ([], 'failed at TypeError'),
        ({**meta, 'videos': meta['videos'][:1] * 2}, 'a video name occurs twice'),
        ({**meta, 'videos': meta['videos'][:1]}, 'tube 1: box 0: video 1, expected'),
        ({**meta, 'classes': ['jump']}, 'tube 0: box 0: class 1, expected'),
    ]:
        (tmp_path / 'videos.json').write_text(json.dumps(broken))
        with pytest.raises(SystemExit) as left:
            tool.main([str(tmp_path / 'gt.npz'), *boxes])
        assert left.value.code == 1
        assert message in capsys.readouterr().err
