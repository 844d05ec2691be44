"""The reference files of tests/data/eval_public in the package's conventions."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from ssvad.evaluation.boxes import inclusive_to_half_open
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tubes import Tube

ROOT = Path(__file__).resolve().parent.parent / 'data/eval_public'
NUM_CLASSES = 24
EDGE_VALUES = 'expected per class AP (percent)'
VIDEO_THRS = [0.2, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


@cache
def expected(name):
    return json.loads((ROOT / f'{name}.json').read_text())


def act(key):
    return expected('expected_act')['results'][key]


def _tubes(file, box_key, scale, prefix=''):
    data = np.load(ROOT / file)
    boxes = inclusive_to_half_open(data[box_key] / scale)
    scores = data['score_q'] / 2**24 if 'score_q' in data else np.zeros(10**4)
    ends = data['box_offset']
    rows = zip(data[prefix + 'video'], data[prefix + 'label'], data[prefix + 'start'])
    return [
        Tube(int(v), int(c), int(s) - 1, boxes[ends[i] : ends[i + 1]], float(scores[i]))
        for i, (v, c, s) in enumerate(rows)
    ]


@cache
def gt_tubes():
    return _tubes('gt.npz', 'boxes', 1, prefix='tube_')


@cache
def gt_boxes():
    return boxes_of_tubes(gt_tubes())


@cache
def det_tubes():
    return _tubes('tubes.npz', 'boxes_q', 4)


@cache
def det_boxes():
    data = np.load(ROOT / 'detections.npz')
    per_video = np.diff(data['video_offset'])
    return FrameBoxes(
        video=np.repeat(np.arange(len(per_video)), per_video),
        frame=data['frame'].astype(int) - 1,
        label=data['label'].astype(int),
        boxes=inclusive_to_half_open(data['boxes_q'] / 4),
        scores=data['score_q'] / 2**24,
    )


def edge_cases():
    return expected('edge_cases')['cases']


def edge_tubes(case, kind):
    return [
        Tube(
            row['video'],
            row['label'],
            row['start'] - 1,
            inclusive_to_half_open(row['boxes']),
            row.get('score', 0.0),
        )
        for row in case[kind]
    ]


def edge_boxes(case):
    as_tubes = [dict(d, start=d['frame'], boxes=[d['box']]) for d in case['dets']]
    return boxes_of_tubes(edge_tubes({'dets': as_tubes}, 'dets'))


@cache
def capsule_videos():
    """(label, pred (F, 56, 56), gt (F, 56, 56), clip_scores (M, K)) per video."""
    data = np.load(ROOT / 'capsule_masks.npz')
    pred, gt = (
        np.unpackbits(data[key], axis=1).reshape(-1, 56, 56).astype(bool)
        for key in ('pred_bits', 'gt_bits')
    )
    frames, clips = data['frame_offset'], data['clip_offset']
    return [
        (
            int(label),
            pred[frames[i] : frames[i + 1]],
            gt[frames[i] : frames[i + 1]],
            data['clip_scores'][clips[i] : clips[i + 1]],
        )
        for i, label in enumerate(data['label'])
    ]


def vos_pairs():
    """Predicted and true mask (H, W) of every case."""
    data = np.load(ROOT / 'vos_masks.npz')
    ends = data['byte_offset']
    for i, case in enumerate(expected('vos_expected')['cases']):
        shape = case['height'], case['width']
        yield tuple(
            np.unpackbits(data[key][ends[i] : ends[i + 1]], count=np.prod(shape))
            .reshape(shape)
            .astype(bool)
            for key in ('pred_bits', 'gt_bits')
        )
