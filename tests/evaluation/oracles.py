"""Slow, literal transcriptions of the protocols, to compare the package with."""

import numpy as np


def whole_video_clips(num_frames, clip_len=8, interval=2):
    """Frame indices and validity of all clips, as the whole-video sampler lays out."""
    inds, valid = [], []
    for block in range(0, num_frames, clip_len * interval):
        for j in range(interval):
            for k in range(clip_len):
                frame = block + j + interval * k
                inds.append(min(frame, num_frames - 1))
                valid.append(frame < num_frames)
    return np.array(inds), np.array(valid)


def capsule_protocol(videos, num_classes, clip_len=8, interval=2):
    """The official evaluation loop, pixel by pixel and clip by clip.

    ``videos``: (label, pred (F, H, W) bool, gt (F, H, W) bool, clip_scores (M, K)).
    """
    thrs = [np.float64(np.float32(k) / np.float32(20)) for k in range(20)]
    frame_hits, video_hits = np.zeros((2, num_classes, 20))
    num_frames, num_videos = np.zeros((2, num_classes))
    correct = 0
    for label, pred, gt, clip_scores in videos:
        inds, valid = whole_video_clips(len(gt), clip_len, interval)
        kept = []
        video_inter = video_union = 0
        for m, scores in enumerate(clip_scores):
            clip = range(m * clip_len, (m + 1) * clip_len)
            frames = [inds[i] for i in clip if valid[i]]
            if sum(gt[f].sum() for f in frames) == 0:
                continue
            kept.append(scores)
            for f in frames:
                if gt[f].sum() == 0:
                    continue
                inter = union = 0
                for p, g in zip(pred[f].ravel().tolist(), gt[f].ravel().tolist()):
                    inter += p and g
                    union += p or g
                video_inter += inter
                video_union += union
                num_frames[label] += 1
                for k in range(20):
                    frame_hits[label, k] += inter / union >= thrs[k]
        if not kept:
            continue
        num_videos[label] += 1
        correct += np.mean(np.array(kept, np.float64), axis=0).argmax() == label
        for k in range(20):
            video_hits[label, k] += video_inter / video_union >= thrs[k]
    return frame_hits, num_frames, video_hits, num_videos, correct


def inclusive_iou(a, b):
    """IoU of two boxes whose right and bottom pixels belong to them."""
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    inter = max(w, 0) * max(h, 0)
    area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1)
    area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    return inter / (area_a + area_b - inter)


def frame_ap_of_class(gt, det, iou_thr):
    """ACT's frame-AP of one class.

    ``gt``: list of (video, frame, inclusive box); ``det``: the same with a score last.
    """
    left = {}
    for video, frame, box in gt:
        left.setdefault((video, frame), []).append(box)
    true_pos, precision, recall = 0, [1.0], [0.0]
    ranked = sorted(det, key=lambda d: -d[3])
    for rank, (video, frame, box, _) in enumerate(ranked, start=1):
        candidates = left.get((video, frame), [])
        ious = [inclusive_iou(box, other) for other in candidates]
        if ious and max(ious) >= iou_thr:
            del candidates[ious.index(max(ious))]
            true_pos += 1
        precision.append(true_pos / rank)
        recall.append(true_pos / len(gt))
    return sum(
        (recall[k] - recall[k - 1]) * (precision[k] + precision[k - 1]) / 2
        for k in range(1, len(recall))
    )


def components(mask, thr):
    """8-connected components of one frame by flood fill: sorted lists of (row, col)."""
    todo = {(int(r), int(c)) for r, c in np.argwhere(mask >= thr)}
    found = []
    while todo:
        grown, border = [], [todo.pop()]
        while border:
            r, c = border.pop()
            grown.append((r, c))
            near = {(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & todo
            todo -= near
            border += near
        found.append(sorted(grown))
    return sorted(found)
