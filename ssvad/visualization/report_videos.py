"""Which videos of an evaluation to show: the best, the middle, the worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..evaluation.conventions import PRESETS, Convention
from ..evaluation.tubes import Tube, nms_tubes
from .tube_timelines import best_overlaps

# of tubes at one place in a video only the best is shown
SAME_PLACE_IOU = 0.5
MOST_TUBES = 6


def shown_tubes(
    truth: Sequence[Tube],
    tubes: Sequence[Tube],
    num_videos: int,
    convention: Convention = PRESETS['act'],
) -> list[list[Tube]]:
    """What a viewer is shown of the detections: where actors are, with one class each.

    A detector reports a place under several classes. Of tubes that overlap by more
    than `SAME_PLACE_IOU`, of whatever class, the best score stays; of those the best
    `MOST_TUBES` of a video, or as many as are annotated if these are more.

    Args:
        truth: annotated tubes of all videos.
        tubes: detected tubes of all videos.
        num_videos: N.
        convention: how overlap is measured.

    Returns:
        For each of N videos its tubes, best first.
    """
    annotated = np.bincount(
        np.array([tube.video for tube in truth], np.int64), minlength=num_videos
    )
    videos = np.array([tube.video for tube in tubes], np.int64)
    shown: list[list[Tube]] = [[] for _ in range(num_videos)]
    for tube in nms_tubes(tubes, SAME_PLACE_IOU, convention, videos):
        if len(shown[tube.video]) < max(MOST_TUBES, annotated[tube.video]):
            shown[tube.video].append(tube)
    return shown


def video_overlaps(
    truth: Sequence[Tube],
    shown: Sequence[Sequence[Tube]],
    convention: Convention = PRESETS['act'],
) -> np.ndarray:
    """How well the actors of each video are covered by tubes of their class.

    Args:
        truth: annotated tubes of all videos.
        shown: result of `shown_tubes` for N videos.
        convention: how overlap is measured.

    Returns:
        (N,) float64 in [0, 1]: mean over the annotated tubes of the best tube IoU with
        a shown tube of their class; NaN for videos without annotated tubes.
    """
    found = [tube for tubes in shown for tube in tubes]
    best = best_overlaps(found, truth, convention)
    videos = np.array([tube.video for tube in truth], np.int64)
    count = np.bincount(videos, minlength=len(shown))
    total = np.bincount(videos, best, minlength=len(shown))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pick_videos(overlaps: np.ndarray, num: int) -> dict[str, list[int]]:
    """Choose ``num`` videos of each kind; no video is of two kinds.

    Args:
        overlaps: (N,), NaN for videos that cannot be ranked.
        num: largest number of each kind; smaller if there are not enough videos.

    Returns:
        'best' (best first), 'median' and 'worst' (worst first) -> indices of videos.
    """
    order = np.argsort(-overlaps, kind='stable')
    order = order[: np.count_nonzero(~np.isnan(overlaps))].tolist()
    # the first kinds get what does not divide by three
    num_best, num_worst, num_median = (
        min(num, (len(order) + more) // 3) for more in (2, 1, 0)
    )
    best, rest = order[:num_best], order[num_best:]
    worst = rest[len(rest) - num_worst :][::-1]
    first = max(0, (len(order) - num_median) // 2 - num_best)
    return dict(best=best, median=rest[first : first + num_median], worst=worst)


def clip_window(num_frames: int, tubes: Sequence[Tube], most: int) -> range:
    """The frames of a video to show: all, or a stretch with the first actor in it.

    Args:
        num_frames: of the video.
        tubes: annotated tubes of the video.
        most: largest number of frames.
    """
    first = min((tube.start for tube in tubes), default=0)
    start = max(0, min(first - most // 10, num_frames - most))
    return range(start, min(num_frames, start + most))
