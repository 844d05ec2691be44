"""Writes the reference detections in the formats that other detectors use."""

import json
import pickle

import numpy as np
import pytest

import eval_detections as tool
from tests.evaluation import golden

VIDEOS = json.loads((golden.ROOT / 'videos.json').read_text())
NAMES = [video['name'] for video in VIDEOS['videos']]


# Two short videos, for files that are malformed.
TRUTH = {
    'format': 'ssvad-tubes-1',
    'classes': ['jump', 'run'],
    'videos': [
        {
            'id': name,
            'file': f'{name}.mp4',
            'width': 320,
            'height': 240,
            'num_frames': frames,
            'tubes': [{'label': 1, 'start': 0, 'boxes': [[10, 10, 50, 50]] * 2}],
        }
        for name, frames in (('a/1', 3), ('b', 20))
    ],
}


def golden_columns():
    """Video, frame, label, score, boxes of the detections as they stand in the file."""
    data = np.load(golden.ROOT / 'detections.npz')
    video = np.repeat(np.arange(len(NAMES)), np.diff(data['video_offset']))
    scores, boxes = data['score_q'] / 2**24, data['boxes_q'] / 4
    return video, data['frame'].astype(int), data['label'].astype(int), scores, boxes


def golden_tubes():
    """(video, label, score, first frame, boxes) of each tube as in the file."""
    data = np.load(golden.ROOT / 'tubes.npz')
    ends, boxes = data['box_offset'], data['boxes_q'] / 4
    scores = data['score_q'] / 2**24
    rows = zip(data['video'], data['label'], scores, data['start'], ends, ends[1:])
    return [(int(v), int(c), float(s), int(f), boxes[a:b]) for v, c, s, f, a, b in rows]


def coco_tables(first_frame=0):
    """Videos, images and categories whose ids are neither sorted nor from 0."""
    videos = [
        {'id': 100 - i, 'file_name': f'{name}.avi'} for i, name in enumerate(NAMES)
    ]
    images = []
    for i, video in enumerate(VIDEOS['videos']):
        images += [
            {'id': 10000 * i + f, 'video_id': 100 - i, 'frame_id': f + first_frame}
            for f in range(video['num_frames'])
        ]
    names = list(enumerate(VIDEOS['classes']))[::-1]
    categories = [{'id': label + 1, 'name': name} for label, name in names]
    return {'videos': videos, 'images': images, 'categories': categories}


def coco_box(box):
    """Half-open x, y, width, height from 0 of a box of the file."""
    x1, y1, x2, y2 = map(float, box)
    return [x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1]


def coco_boxes():
    return [
        {
            'image_id': int(10000 * v + f - 1),
            'category_id': int(c + 1),
            'score': float(s),
            'bbox': coco_box(box),
        }
        for v, f, c, s, box in zip(*golden_columns())
    ]


def coco_tubes():
    tubes = []
    for video, label, score, start, boxes in golden_tubes():
        boxes = [None] * (start - 1) + [coco_box(box) for box in boxes]
        boxes += [None] * (VIDEOS['videos'][video]['num_frames'] - len(boxes))
        whose = {'video_id': 100 - video, 'category_id': label + 1}
        tubes.append({**whose, 'score': score, 'bboxes': boxes})
    return tubes


def write_json(path, data):
    path.write_text(json.dumps(data))
    return path


def write_pickle(path, data, protocol=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(data, protocol=protocol))
    return path


def write_act_boxes(path):
    """`frame_detections.pkl`: float32, as MOC writes it."""
    columns = np.column_stack(golden_columns())
    return write_pickle(path, columns.astype(np.float32), protocol=4)


def write_act_frames(folder, writer, digits=5, videos=4):
    """A pickle for each frame, each detection a box on one frame (K = 1)."""
    video, frame, label, scores, boxes = golden_columns()
    for i, entry in enumerate(VIDEOS['videos'][:videos]):
        for number in range(1, entry['num_frames'] + 1):
            rows = np.flatnonzero((video == i) & (frame == number))
            path = folder / f'{entry["name"]}/{number:0{digits}d}.pkl'
            whose = label[rows], scores[rows]
            if writer == 'act':
                table = np.column_stack([*whose, boxes[rows]]).astype(np.float32)
                data = table, np.zeros((2, 4 + 25), np.float32)
            else:
                table = np.column_stack([boxes[rows], whose[1]]).astype(np.float32)
                data = {c + 1: table[whose[0] == c] for c in range(24)}
            write_pickle(path, data)
    return folder


def write_act_tubes(folder, moc=False):
    found = {name: {label: [] for label in range(24)} for name in NAMES}
    for video, label, score, start, boxes in golden_tubes():
        frames = np.arange(start, start + len(boxes))
        rows = np.column_stack([frames, boxes, np.full(len(boxes), score)])
        tube = rows.astype(np.float32), np.float32(score)
        found[NAMES[video]][label].append(list(tube) if moc else tube)
    for name, tubes in found.items():
        write_pickle(folder / f'{name}_tubes.pkl', tubes)
    return folder


def complaint(capsys, tmp_path, *args):
    """What the tool prints to standard error when it leaves with status 1."""
    truth = write_json(tmp_path / 'truth.json', TRUTH)
    with pytest.raises(SystemExit) as left:
        tool.main(list(map(str, [truth, *args])))
    assert left.value.code == 1
    out, err = capsys.readouterr()
    assert out == '' and len(err.splitlines()) == 1
    return err
