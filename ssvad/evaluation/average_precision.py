"""From ranked hits and misses to average precision (standard protocol)."""

from __future__ import annotations

import numpy as np


def precision_recall(hits: np.ndarray, num_gt: float) -> tuple[np.ndarray, np.ndarray]:
    """The raw precision-recall points, from recall 0, precision 1 on.

    Args:
        hits: (N,) bool, true positives in ranked order, best score first.
        num_gt: number of ground-truth objects, at least 1.

    Returns:
        Precision and recall, (N+1,) float64 each in [0, 1].

    Raises:
        ValueError: if ``num_gt`` is below 1, where recall is undefined.
    """
    if num_gt < 1:
        raise ValueError(
            f'average precision needs ground truth, got num_gt={num_gt}; '
            'skip classes without ground truth'
        )
    true_positives = np.cumsum(hits)
    precision = np.r_[1.0, true_positives / np.arange(1, len(hits) + 1)]
    return precision, np.r_[0.0, true_positives / num_gt]


def average_precision(
    hits: np.ndarray, num_gt: float, kind: str = 'trapezoid'
) -> float:
    """Area under the precision-recall points.

    Args:
        hits: (N,) bool, true positives in ranked order, best score first.
        num_gt: number of ground-truth objects, at least 1.
        kind: 'trapezoid' joins the raw points by lines, starting at recall 0,
            precision 1, and ends at the last recall (ACT, Kalogeiton et al., 2017);
            'voc' gives every recall the best precision at it or beyond (all-point
            PASCAL VOC).

    Returns:
        Average precision in [0, 1]; 0 without detections.

    Raises:
        ValueError: if ``num_gt`` is below 1, where recall is undefined.
    """
    precision, recall = precision_recall(hits, num_gt)
    if kind == 'voc':
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * best_from_here[1:]))
    return float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1])) / 2)


def per_class_ap(
    hits: np.ndarray,
    labels: np.ndarray,
    num_gt: np.ndarray,
    kind: str = 'trapezoid',
    recall_eps: float = 0.0,
) -> np.ndarray:
    """Average precision of every class.

    Args:
        hits: (A, N) bool, true positives in ranked order over all classes, a row for
            each of A thresholds.
        labels: (N,) int, class of each detection.
        num_gt: (K,) int, ground-truth objects per class.
        kind: see `average_precision`.
        recall_eps: added to the number of objects, where there are any.

    Returns:
        (A, K) float64 in [0, 1]; NaN marks a class without ground truth.
    """
    result = np.full((len(hits), len(num_gt)), np.nan)
    for label in np.flatnonzero(num_gt):
        of_class = hits[:, labels == label]
        for row, one in enumerate(of_class):
            num = num_gt[label] + recall_eps
            result[row, label] = average_precision(one, num, kind)
    return result


def mean_over_present(per_class: np.ndarray) -> float:
    """Mean of a per-class result, leaving out the classes that are absent.

    Args:
        per_class: (K,) float; NaN marks an absent class.

    Returns:
        The mean; 0 if every class is absent, because a NaN metric would never be
        replaced as the best checkpoint's score.
    """
    present = ~np.isnan(per_class)
    return float(per_class[present].mean()) if present.any() else 0.0
