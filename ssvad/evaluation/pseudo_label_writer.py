"""Predictions that are sure enough, as annotations to train on (pseudo-labels)."""

from __future__ import annotations

import os.path as osp
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ssvad.annotations import (
    load_annotations,
    read_split,
    save_annotations,
    save_masks,
    write_split,
)

from .sample_fields import field


def prediction_confidence(mask: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """How sure a detector is of a video.

    Args:
        mask: (F, H, W) foreground probability.
        scores: (K,) class activations, not negative.

    Returns:
        How far the best class is ahead of the second, in [0, 1], and the mean
        probability of the foreground, ``mean(p | p > 0.5)``, 0 without any.
    """
    second, best = np.sort(np.append(scores, 0.0))[-2:]
    foreground = mask > 0.5
    return float(best - second), float(
        mask[foreground].mean() if foreground.any() else 0
    )


def mask_in_source(
    mask: np.ndarray, crop: Sequence[float], size: tuple[int, int]
) -> np.ndarray:
    """Put predicted masks where the network looked.

    Args:
        mask: (F, H, W) foreground probability.
        crop: x, y, width, height of the crop as fractions of the frame.
        size: Height and width of the frame.

    Returns:
        (F, height, width) bool, true where the probability is above 0.5.
    """
    height, width = size
    x, y, w, h = np.asarray(crop) * [width, height, width, height]
    left, top, right, bottom = (round(float(v)) for v in (x, y, x + w, y + h))
    whole = np.zeros((len(mask), height, width), bool)
    for frame, values in zip(whole, mask):
        values = cv2.resize(values, (right - left, bottom - top))
        frame[top:bottom, left:right] = values > 0.5
    return whole


def mask_to_tubes(masks: np.ndarray, label: int) -> list[dict]:
    """Tubes of a video's masks: one for each run of frames with foreground.

    Args:
        masks: (F, h, w) bool.
        label: Their class.

    Returns:
        Tubes as the annotation file has them; the box of a frame bounds its mask.
    """
    tubes, last = [], None
    for index in np.flatnonzero(masks.any((1, 2))).tolist():
        rows = np.flatnonzero(masks[index].any(1))
        columns = np.flatnonzero(masks[index].any(0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        if last is None or index != last + 1:
            tubes.append(dict(label=label, start=index, boxes=[]))
        tubes[-1]['boxes'].append([float(value) for value in box])
        last = index
    return tubes


@METRICS.register_module()
class PseudoLabelWriter(BaseMetric):
    """Write videos that the detector is sure of as if they were annotated (Lee 2013).

    The paper compares with pseudo-labels but does not say how they are made; this is
    plain self-training. Ground truth of the videos is never read. Files in ``out_dir``:
    ``annotations.json`` with the labelled and the accepted videos, ``labeled.txt`` with
    the ids of both, and ``masks/`` with the accepted videos' pixel masks.

    Args:
        out_dir: Folder.
        ann_file: Annotation file of the dataset.
        labeled_split: List of the labelled videos.
        class_thr: Least lead of the best class over the second, in [0, 1]; see
            ``PseudoLabel``, the method that does this in the course of training.
        mask_thr: Least mean foreground probability.
        collect_device: As for ``BaseMetric``.
        collect_dir: As for ``BaseMetric``.
    """

    default_prefix = 'pseudo'

    def __init__(
        self,
        out_dir: str,
        ann_file: str,
        labeled_split: str,
        class_thr: float = 0.1,
        mask_thr: float = 0.7,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ):
        super().__init__(collect_device, collect_dir=collect_dir)
        self.out_dir = out_dir
        self.ann_file = ann_file
        self.labeled_split = labeled_split
        self.class_thr = class_thr
        self.mask_thr = mask_thr

    def process(self, data_batch: Mapping, data_samples: Sequence[Mapping]) -> None:
        """Keep a record of each video and write the masks of those accepted."""
        for sample in data_samples:
            mask, scores = field(sample, 'pred_mask'), field(sample, 'pred_score')
            record = dict(id=sample['video_id'], tubes=[])
            record['class'], record['mask'] = prediction_confidence(mask, scores)
            if record['class'] >= self.class_thr and record['mask'] >= self.mask_thr:
                crop = sample.get('crop_quadruple', (0, 0, 1, 1))
                masks = mask_in_source(mask, crop, sample['original_shape'])
                record['tubes'] = mask_to_tubes(masks, int(scores.argmax()))
                record['masks'] = f'{sample["video_id"]}.npz'
                save_masks(osp.join(self.out_dir, 'masks', record['masks']), masks)
            self.results.append(record)

    def compute_metrics(self, results: list[dict]) -> dict:
        """Write the lists.

        Returns:
            ``accepted`` and ``videos``, numbers, and the mean confidence of all videos
            in class and mask, in percent.
        """
        annotations = load_annotations(self.ann_file)
        videos = {video['id']: video for video in annotations['videos']}
        labeled = read_split(self.labeled_split)
        accepted = {record['id']: record for record in results if record['tubes']}
        known = [videos[name] for name in labeled]
        for name in sorted(accepted.keys() - set(labeled)):
            record = accepted[name]
            known.append(
                dict(videos[name], tubes=record['tubes'], masks=record['masks'])
            )
        save_annotations(
            osp.join(self.out_dir, 'annotations.json'), annotations['classes'], known
        )
        names = [video['id'] for video in known]
        write_split(osp.join(self.out_dir, 'labeled.txt'), names)
        return dict(
            accepted=len(accepted),
            videos=len({record['id'] for record in results}),
            class_confidence=100 * np.mean([record['class'] for record in results]),
            mask_confidence=100 * np.mean([record['mask'] for record in results]),
        )
