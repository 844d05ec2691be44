"""What a perfect mask head could reach: masks drawn from annotated boxes."""

import numpy as np

from ssvad.datasets.tube_masks import boxes_to_masks, crop_masks
from ssvad.evaluation.frame_ap import FrameBoxes, frame_ap
from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels

HEIGHT, WIDTH = 240, 320
WHOLE = (0, 0, WIDTH, HEIGHT)
CENTRE = (48, 8, 272, 232)  # the crop of 224 x 224 that the released code tests on


def clipped(truth, window):
    """The annotated boxes as far as they lie in a window (x1, y1, x2, y2)."""
    low, high = np.array(window[:2] * 2), np.array(window[2:] * 2)
    boxes = truth.boxes.clip(low, high)
    left = (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
    return truth._replace(boxes=boxes).take(np.flatnonzero(left))


def components_of_boxes(truth, window):
    """Boxes around the connected components of drawn boxes, without drawing them.

    Actors whose half-open boxes share a side, a corner or more are one component.
    """
    truth = clipped(truth, window)
    place = truth.video.astype(np.int64) * 10**6 + truth.frame
    _, group, size = np.unique(place, return_inverse=True, return_counts=True)
    alone = np.flatnonzero(size[group] == 1)
    area = np.prod(truth.boxes[alone, 2:] - truth.boxes[alone, :2], axis=1)
    rows, boxes = list(alone[area >= 25]), list(truth.boxes[alone[area >= 25]])
    crowd = np.flatnonzero(size[group] > 1)
    crowd = crowd[np.argsort(group[crowd], kind='stable')]
    for frame in np.split(crowd, np.flatnonzero(np.diff(group[crowd])) + 1):
        if len(frame):
            found = _merged(truth.boxes[frame])
            rows += [frame[0]] * len(found)
            boxes += found
    rows = np.array(rows, int)
    order = np.lexsort((truth.frame[rows], truth.video[rows]))
    found = truth.take(rows[order])
    return found._replace(boxes=np.array(boxes).reshape(-1, 4)[order])


def _merged(boxes):
    meets = (boxes[:, None, :2] <= boxes[:, 2:]) & (boxes[:, :2] <= boxes[:, None, 2:])
    same = meets.all(axis=2)
    for _ in boxes:
        same = same @ same
    parts = [boxes[list(k)] for k in sorted({tuple(np.flatnonzero(r)) for r in same})]
    areas = np.array([_union_area(part) for part in parts])
    large = areas >= max(25, 0.05 * areas.max())
    return [
        np.r_[part[:, :2].min(0), part[:, 2:].max(0)]
        for part, kept in zip(parts, large)
        if kept
    ]


def _union_area(boxes):
    x, y = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    columns = (boxes[:, :1] <= x[:-1]) & (x[1:] <= boxes[:, 2:3])
    rows = (boxes[:, 1:2] <= y[:-1]) & (y[1:] <= boxes[:, 3:])
    covered = (rows[:, :, None] & columns[:, None]).any(axis=0)
    return (covered * np.diff(x) * np.diff(y)[:, None]).sum()


def one_box_per_frame(truth):
    """The tight box around all actors of a frame."""
    place = truth.video.astype(np.int64) * 10**6 + truth.frame
    _, first, group = np.unique(place, return_index=True, return_inverse=True)
    boxes = np.empty((len(first), 4))
    for side, reduce, start in ((0, np.minimum, np.inf), (2, np.maximum, -np.inf)):
        edge = np.full((len(first), 2), start)
        reduce.at(edge, group, truth.boxes[:, side : side + 2])
        boxes[:, side : side + 2] = edge
    return truth.take(first)._replace(boxes=boxes)


def boxes_of_perfect_masks(truth, window=WHOLE, size=None):
    """Draw the actors, cut a window, scale it, and find boxes as the evaluator does.

    Args:
        truth: annotated boxes; each video shows one class.
        window: (x1, y1, x2, y2) that the network sees.
        size: rows and columns of its input; None keeps the scale.
    """
    x1, y1, x2, y2 = window
    crop = (x1 / WIDTH, y1 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT)
    size = size or (y2 - y1, x2 - x1)
    parts = []
    for video in np.unique(truth.video):
        own = truth.take(np.flatnonzero(truth.video == video))
        frames, index = np.unique(own.frame, return_inverse=True)
        drawn = np.full((len(index), len(frames), 4), np.nan)
        drawn[np.arange(len(index)), index] = own.boxes
        masks = crop_masks(boxes_to_masks(drawn, HEIGHT, WIDTH), crop, size)
        found = mask_to_boxes(masks.astype(np.float32))
        boxes = to_source_pixels(found.boxes, size, crop, (HEIGHT, WIDTH))
        num = len(boxes)
        label = np.full(num, own.label[0])
        video = np.full(num, video)
        parts.append(FrameBoxes(video, frames[found.frame], label, boxes, found.prob))
    return FrameBoxes(*(np.concatenate(fields) for fields in zip(*parts)))


def frame_map(truth, found, seeds=range(3)):
    """Frame-mAP@0.5 in percent; the scores say nothing, so the mean of some draws."""
    values = []
    for seed in seeds:
        scores = np.random.default_rng(seed).random(len(found.label))
        ap = frame_ap(truth, found._replace(scores=scores), 24, [0.5])
        values.append(100 * np.nanmean(ap))
    return float(np.mean(values))
