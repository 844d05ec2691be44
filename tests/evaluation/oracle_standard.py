"""The standard protocol by every convention, one box and one tube at a time.

Boxes are (x1, y1, x2, y2) with the last pixel's number, as annotations have them, so
that 'inclusive' is ``x2 - x1 + 1`` here. A box is (video, frame, label, box, score), a
tube (video, label, start, boxes, score).
"""

import numpy as np


def box_iou(a, b, pixel):
    more = 1 if pixel == 'inclusive' else 0
    w = min(a[2], b[2]) - max(a[0], b[0]) + more
    h = min(a[3], b[3]) - max(a[1], b[1]) + more
    inter = max(w, 0) * max(h, 0)
    areas = [(r[2] - r[0] + more) * (r[3] - r[1] + more) for r in (a, b)]
    union = areas[0] + areas[1] - inter
    return inter / union if union else 0.0


def tube_iou(a, b, convention):
    first, second = (dict(enumerate(tube[3], start=tube[2])) for tube in (a, b))
    shared = sorted(set(first) & set(second))
    if len(shared) < convention.min_shared_frames:
        return 0.0
    every = sorted(set(first) | set(second))
    if convention.tube_time == 'frames':
        inter, union = shared[-1] - shared[0] + 1, every[-1] - every[0] + 1
    else:
        inter, union = shared[-1] - shared[0], every[-1] - every[0]
    if union == 0:
        return 0.0
    ious = [box_iou(first[f], second[f], convention.tube_pixel) for f in shared]
    return np.mean(ious) * (inter / union)


def average_precision(hits, num_gt, kind):
    points, right = [(0.0, 1.0)], 0
    for rank, hit in enumerate(hits, start=1):
        right += hit
        points.append((right / num_gt, right / rank))
    area = 0.0
    for k in range(1, len(points)):
        step = points[k][0] - points[k - 1][0]
        if kind == 'voc':
            area += step * max(precision for _, precision in points[k:])
        else:
            area += step * (points[k][1] + points[k - 1][1]) / 2
    return area


def judge(ranked, truth, overlap, thr, rematch):
    """For each detection, best first, whether it is right."""
    taken, hits = set(), []
    for one in ranked:
        ious = [
            (overlap(one, other), -k)
            for k, other in enumerate(truth)
            if not (rematch and k in taken)
        ]
        best, k = max(((iou, k) for iou, k in ious if iou is not None), default=(-1, 0))
        hits.append(best >= thr and -k not in taken)
        if hits[-1]:
            taken.add(-k)
    return hits


def counted_boxes(gt, det, convention):
    shown = {row[:2] for row in gt}
    if convention.frames == 'annotated':
        det = [row for row in det if row[:2] in shown]
    return sorted(det, key=lambda row: -row[4])


def frame_ap(gt, det, num_classes, thr, convention):
    def overlap(a, b):
        if a[:2] == b[:2]:
            return box_iou(a[3], b[3], convention.frame_pixel)

    det, values = counted_boxes(gt, det, convention), []
    for label in range(num_classes):
        truth, found = ([r for r in rows if r[2] == label] for rows in (gt, det))
        hits = judge(found, truth, overlap, thr, convention.frame_rematch)
        num = len(truth)
        values.append(average_precision(hits, num, convention.ap) if num else np.nan)
    return values


def kept_tubes(tubes, convention):
    """Without those that overlap a better one of their video and class."""
    kept = []
    for tube in sorted(tubes, key=lambda tube: (tube[0], tube[1], -tube[4])):
        if convention.tube_nms is None or all(
            tube_iou(tube, other, convention) <= convention.tube_nms
            for other in kept
            if other[:2] == tube[:2]
        ):
            kept.append(tube)
    return sorted(kept, key=lambda tube: -tube[4])


def video_ap(gt, det, num_classes, thr, convention):
    def overlap(a, b):
        if a[0] == b[0]:
            return tube_iou(a, b, convention)

    det, values = kept_tubes(det, convention), []
    for label in range(num_classes):
        truth, found = ([r for r in rows if r[1] == label] for rows in (gt, det))
        hits = judge(found, truth, overlap, thr, convention.tube_rematch)
        num = len(truth) + convention.tube_recall_eps
        values.append(average_precision(hits, num, convention.ap) if truth else np.nan)
    return values


def errors(gt, det, thr, convention):
    """(label, kind) of each detection, best first."""
    det, result = counted_boxes(gt, det, convention), []
    for label in {row[2] for row in det}:
        mine = [row for row in det if row[2] == label]
        own = [row for row in gt if row[2] == label]

        def overlap(a, b):
            if a[:2] == b[:2]:
                return box_iou(a[3], b[3], convention.frame_pixel)

        hits = judge(mine, own, overlap, thr, convention.frame_rematch)
        for row, hit in zip(mine, hits):
            here = [r for r in gt if r[:2] == row[:2]]
            near = [r for r in here if (overlap(row, r) or 0) >= thr]
            if hit:
                kind = 'right'
            elif any(r[2] == label for r in here):
                of_class = any(r[2] == label for r in near)
                kind = 'duplicate' if of_class else 'localisation'
            elif near:
                kind = 'classification'
            elif any(r[0] == row[0] for r in own):
                kind = 'timing'
            else:
                kind = 'other'
            result.append((label, kind))
    return result


def link(frames, boxes, scores, iou_thr, max_gap, min_len, topk, min_score):
    """Members of each track that greedy linking makes, frame by frame."""
    tracks = []
    for frame in range(max(frames, default=-1) + 1):
        free = [k for k in range(len(frames)) if frames[k] == frame]
        free = sorted(free, key=lambda k: -scores[k])[:topk]
        alive = [t for t in tracks if frame - frames[t[-1]] <= max_gap]
        alive.sort(key=lambda t: -sum(scores[k] for k in t) / len(t))
        for track in alive:
            # half-open boxes: their width is x2 - x1
            near = [
                k
                for k in free
                if box_iou(boxes[track[-1]], boxes[k], 'exclusive') >= iou_thr
            ]
            if near:
                track.append(near[0])
                free.remove(near[0])
        tracks += [[k] for k in free]
    return [
        t
        for t in tracks
        if frames[t[-1]] - frames[t[0]] + 1 >= min_len
        and sum(scores[k] for k in t) / len(t) >= min_score
    ]
