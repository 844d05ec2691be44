"""From ranked hits and misses to average precision (standard protocol)."""

from __future__ import annotations

import numpy as np


def average_precision(hits: np.ndarray, num_gt: int) -> float:
    """Area under the raw precision-recall points, by trapezoids.

    The curve starts at recall 0, precision 1; it is neither interpolated nor
    extended beyond the last recall (ACT, Kalogeiton et al., 2017).

    Args:
        hits: (N,) bool, true positives in ranked order, best score first.
        num_gt: number of ground-truth objects, at least 1.

    Returns:
        Average precision in [0, 1]; 0 without detections.

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
    recall = np.r_[0.0, true_positives / num_gt]
    return float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1])) / 2)


def per_class_ap(
    hits: np.ndarray, labels: np.ndarray, num_gt: np.ndarray
) -> np.ndarray:
    """Average precision of every class.

    Args:
        hits: (N,) bool, true positives in ranked order over all classes.
        labels: (N,) int, class of each detection.
        num_gt: (K,) int, ground-truth objects per class.

    Returns:
        (K,) float64 in [0, 1]; NaN marks a class without ground truth.
    """
    return np.array(
        [
            average_precision(hits[labels == label], count) if count else np.nan
            for label, count in enumerate(num_gt)
        ]
    )


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
