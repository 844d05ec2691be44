"""Detections of strangers: npz, COCO-style JSON, the pickles of ACT and MOC.

What is read has finite numbers, and frames, classes and videos of the ground truth.
"""

import json

import numpy as np
import pytest
from hypothesis import strategies as st

from detections.act_pickles import read_act_boxes, read_act_folder, read_act_tubes
from detections.coco_files import read_coco_boxes, read_coco_tubes
from detections.npz_files import read_npz_boxes, read_npz_tubes
from detections.rows import Layout, Target
from tests.fuzz.mutations import (
    ODD_NUMPY,
    damaged,
    fuzz,
    json_bytes,
    npz_bytes,
    pickle_bytes,
    spoilt,
)
from tests.fuzz.sandbox import attempt

NAMES, FRAMES = ['a/1', 'b'], [1, 20]
TARGET = Target(['jump', 'run'], NAMES, FRAMES, NAMES, Layout(1, 'one-based'))
PLAIN = TARGET._replace(layout=Layout(0, 'half-open'))

BOXES = np.array([[1, 2, 30, 40], [2, 3, 31, 41], [5, 5, 9, 9]], np.float32)
NPZ = {
    'frame': np.array([1, 2, 20]),
    'label': np.array([0, 1, 1]),
    'score': np.array([0.5, 0.25, 1.0], np.float32),
    'boxes': BOXES,
    'video_offset': np.array([0, 1, 3]),
    'names': np.array(NAMES),
}
NPZ_TUBES = {
    'video': np.array([0, 1]),
    'label': np.array([0, 1]),
    'score': np.array([0.5, 1.0]),
    'start': np.array([1, 4]),
    'box_offset': np.array([0, 1, 3]),
    'boxes_q': (BOXES * 4).astype(np.int32),
}
TABLES = {
    'categories': [{'id': 3, 'name': 'run'}, {'id': 1, 'name': 'jump'}],
    'videos': [{'id': 5, 'file_name': 'a/1.avi'}, {'id': 6, 'name': 'b'}],
    'images': [
        {'id': 50, 'video_id': 5, 'frame_id': 0},
        {'id': 61, 'video_id': 6, 'frame_id': 1},
    ],
}
JSON = {
    **TABLES,
    'annotations': [
        dict(image_id=50, category_id=3, score=0.5, bbox=[1, 2, 3, 4.5]),
        dict(image_id=61, category_id=1, score=1, bbox=[1, 2, 3, 4.5]),
        dict(video='b', frame=3, label=0, score=-2.5, bbox=[0, 0, 9, 9]),
    ],
}
JSON_TUBES = {
    **TABLES,
    'annotations': [
        dict(video_id=5, category_id=3, score=0.5, bboxes=[[1, 2, 3, 4]]),
        dict(video='b', label=0, score=0.5, bboxes=[None, [1, 2, 3, 4], None]),
    ],
}
ACT_BOXES = np.column_stack([[0, 1, 1], [1, 3, 4], [0, 0, 1], [0.5, 0.1, 1], BOXES])
# One frame a detection: a/1 has a single frame, so one pickle is all of it.
MOC_FRAME = {1: np.column_stack([BOXES, [0.1, 0.2, 0.3]]), 2: np.zeros((0, 5))}
ACT_FRAME = [np.column_stack([[0, 1, 1], [0.1, 0.2, 0.3], BOXES]), np.zeros((2, 29))]
TUBE = np.column_stack([[4, 5, 6], BOXES, [0.1, 0.2, 0.3]]).astype(np.float32)
ACT_TUBES = {0: [[TUBE, np.float32(0.5)]], 1: []}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


def plain_boxes(boxes):
    """The columns, after checking them against the ground truth."""
    assert np.isfinite(boxes.boxes).all() and np.isfinite(boxes.scores).all()
    assert (boxes.boxes[:, :2] < boxes.boxes[:, 2:]).all()
    assert np.isin(boxes.label, [0, 1]).all() and np.isin(boxes.video, [0, 1]).all()
    assert ((boxes.frame >= 0) & (boxes.frame < np.array(FRAMES)[boxes.video])).all()
    return [np.asarray(column) for column in boxes]


def plain_tubes(tubes):
    for tube in tubes:
        assert np.isfinite(tube.boxes).all() and np.isfinite(tube.score)
        assert len(tube.boxes) and (tube.boxes[:, :2] < tube.boxes[:, 2:]).all()
        assert tube.label in (0, 1) and tube.start >= 0
        assert tube.start + len(tube.boxes) <= FRAMES[tube.video]
    return [tuple(tube) for tube in tubes]


def boxes_of(path, read, target):
    return plain_boxes(read(path, target))


def tubes_of(path, read, target):
    return plain_tubes(read(path, target))


def kept(boxes, writer):
    return boxes


def boxes_of_folder(path, target):
    return plain_boxes(read_act_folder(path, target, kept))


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected))


@fuzz(80, arrays=spoilt(NPZ, ODD_NUMPY))
def test_npz_boxes_of_other_arrays(folder, arrays):
    path = folder / 'b.npz'
    path.write_bytes(npz_bytes(arrays))
    attempt('detections npz', boxes_of, (path, read_npz_boxes, TARGET), path)


@fuzz(60, raw=damaged(npz_bytes(NPZ)))
def test_npz_boxes_of_other_bytes_are_refused_or_the_same(folder, raw):
    path = folder / 'b.npz'
    path.write_bytes(npz_bytes(NPZ))
    whole = boxes_of(path, read_npz_boxes, TARGET)
    path.write_bytes(raw)
    args = path, read_npz_boxes, TARGET
    found = attempt('detections npz', boxes_of, args, path)
    assert found is None or same(found, whole)


@fuzz(60, arrays=spoilt(NPZ_TUBES, ODD_NUMPY))
def test_npz_tubes_of_other_arrays(folder, arrays):
    path = folder / 't.npz'
    path.write_bytes(npz_bytes(arrays))
    attempt('detections npz', tubes_of, (path, read_npz_tubes, TARGET), path)


@fuzz(80, tree=spoilt(JSON))
def test_json_boxes_of_another_structure(folder, tree):
    path = folder / 'b.json'
    path.write_bytes(json_bytes(tree))
    attempt('detections JSON', boxes_of, (path, read_coco_boxes, PLAIN), path)


@fuzz(80, tree=spoilt(JSON_TUBES))
def test_json_tubes_of_another_structure(folder, tree):
    path = folder / 't.json'
    path.write_bytes(json_bytes(tree))
    attempt('detections JSON', tubes_of, (path, read_coco_tubes, PLAIN), path)


@fuzz(30, raw=damaged(json.dumps(JSON).encode()))
def test_json_of_other_bytes(folder, raw):
    path = folder / 'b.json'
    path.write_bytes(raw)
    attempt('detections JSON', boxes_of, (path, read_coco_boxes, PLAIN), path)


@fuzz(
    80,
    raw=spoilt([ACT_BOXES], ODD_NUMPY).map(
        lambda tree: pickle_bytes(tree[0] if isinstance(tree, list) and tree else tree)
    )
    | damaged(pickle_bytes(ACT_BOXES)),
)
def test_act_boxes(folder, raw):
    path = folder / 'frame_detections.pkl'
    path.write_bytes(raw)
    attempt('ACT/MOC pickle', boxes_of, (path, read_act_boxes, TARGET), path)


@fuzz(
    120,
    raw=(spoilt(MOC_FRAME, ODD_NUMPY) | spoilt(ACT_FRAME, ODD_NUMPY)).map(pickle_bytes)
    | damaged(pickle_bytes(MOC_FRAME))
    | damaged(pickle_bytes(ACT_FRAME)),
)
def test_act_frames(folder, raw):
    path = folder / 'a/1/00001.pkl'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    target = TARGET._replace(names=NAMES[:1], num_frames=FRAMES[:1])
    attempt('ACT/MOC pickle', boxes_of_folder, (folder, target), '00001.pkl')


@fuzz(
    120,
    raw=spoilt(ACT_TUBES, ODD_NUMPY).map(pickle_bytes)
    | damaged(pickle_bytes(ACT_TUBES)),
)
def test_act_tubes(folder, raw):
    (folder / 'b_tubes.pkl').write_bytes(raw)
    target = TARGET._replace(names=NAMES[1:], num_frames=FRAMES[1:], listed=NAMES[1:])
    args = folder, read_act_tubes, target
    found = attempt('ACT/MOC pickle', tubes_of_b, args, 'b_tubes.pkl')
    assert found is None or len(found) <= 9


def tubes_of_b(path, read, target):
    return plain_tubes([tube._replace(video=1) for tube in read(path, target)])


@fuzz(
    30,
    frame=st.integers(-3, 25) | st.floats(-1, 21),
    label=st.integers(-1, 2) | st.floats(-1, 2),
)
def test_numbers_are_taken_as_they_are_or_not_at_all(folder, frame, label):
    path = folder / 'n.json'
    item = dict(video='b', frame=frame, label=label, score=1, bbox=[0, 0, 9, 9])
    path.write_text(json.dumps([item]))
    args = path, read_coco_boxes, PLAIN
    found = attempt('detections JSON', boxes_of, args, path)
    assert found is None or (found[1][0], found[2][0]) == (frame, label)
