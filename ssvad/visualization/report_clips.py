"""Frames of a report: truth beside detections, and single errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from ..evaluation.tubes import Tube
from . import draw
from .render_tubes import MIN_WIDTH, render_tubes

# wider frames are made smaller, so that a page stays small
MAX_WIDTH = 480
GAP = 4
MISSED = (255, 165, 0)


def fit(frame: np.ndarray, max_width: int = MAX_WIDTH) -> tuple[np.ndarray, float]:
    """Make a frame (h, w, ...) at most so wide; returns it and the scale."""
    scale = min(1.0, max_width / frame.shape[1])
    if scale == 1:
        return frame, scale
    size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA), scale


def side_by_side(
    frames: Iterable[np.ndarray],
    truth: Sequence[Tube],
    tubes: Sequence[Tube],
    classes: Sequence[str],
    first: int = 0,
    masks: Iterable[np.ndarray] | None = None,
    seen: Sequence[float] = (0, 0, 1, 1),
) -> Iterator[np.ndarray]:
    """Draw the truth (left, green) beside detections (right), frame by frame.

    Small frames are enlarged by a whole factor. Detected tubes have a colour each, the
    mask inside of them, too; what the network did not see is darker.

    Args:
        frames: (h, w, 3) uint8 RGB.
        truth: annotated tubes of the video.
        tubes: detected ones.
        classes: K names.
        first: number of the first frame in the video.
        masks: (h, w) bool for each frame; None draws none.
        seen: x, y, w, h of what the network saw as fractions of the frame.

    Yields:
        Pictures (H, W, 3) uint8 with even sides.
    """
    masks = iter(masks) if masks is not None else None
    for number, frame in enumerate(frames, first):
        small, scale = fit(frame)
        mask = None
        if masks is not None:
            mask = fit(next(masks).astype(np.uint8) * 255)[0][None] >= 128
        found = [_plain(i, t, classes, number, scale) for i, t in enumerate(tubes)]
        shown = [tube for tube in found if tube['boxes']]
        (right,) = render_tubes([small], shown, mask, seen)
        here = [t for t in truth if 0 <= number - t.start < len(t.boxes)]
        boxes = [tube.boxes[number - tube.start] * scale for tube in here]
        left = _outline(small, [(box, draw.GREEN) for box in boxes])
        pad = [(0, b - a) for a, b in zip(left.shape[:2], right.shape[:2])]
        left = np.pad(left, (*pad, (0, 0)), 'edge')
        names = ', '.join(dict.fromkeys(classes[tube.label] for tube in here))
        left = draw.caption(left, f'truth: {names or "-"}', draw.DARK_GREEN)
        right = draw.caption(right, f'found, frame {number}')
        gap = np.full((len(left), GAP, 3), draw.WHITE, np.uint8)
        yield np.concatenate([left, gap, right], axis=1)


def error_picture(
    frame: np.ndarray, truth: Sequence[np.ndarray], box: np.ndarray, missed: bool
) -> np.ndarray:
    """Draw the annotated boxes of a frame (green) and the one that is wrong (red).

    Args:
        frame: (h, w, 3) uint8 RGB.
        truth: annotated boxes (4,) of the frame, half-open pixels.
        box: the detected one, or the annotated one that was missed.
        missed: whether it was missed; then it is dashed, in orange.
    """
    small, scale = fit(frame)
    if missed:
        others = [other for other in truth if not np.array_equal(other, box)]
        picture = _outline(small, [(other * scale, draw.GREEN) for other in others])
        return _dashed(picture, box * scale * _factor(small), MISSED)
    boxes = [(other * scale, draw.GREEN) for other in truth]
    return _outline(small, [*boxes, (box * scale, draw.RED)])


def _plain(
    number: int, tube: Tube, classes: Sequence[str], frame: int, scale: float
) -> dict:
    """A tube as `render_tubes` wants it, cut to one frame that is the only one."""
    index = frame - tube.start
    boxes = tube.boxes[index : index + 1] * scale if index >= 0 else []
    name = classes[tube.label]
    kept = dict(id=number, score=tube.score, start=0, boxes=list(boxes))
    return {**kept, 'class': name}


def _factor(frame: np.ndarray) -> int:
    return max(1, -(-MIN_WIDTH // frame.shape[1]))


def _outline(frame: np.ndarray, boxes: Sequence[tuple]) -> np.ndarray:
    """Enlarge a frame and draw boxes on it."""
    factor = _factor(frame)
    picture = draw.enlarge(np.ascontiguousarray(frame), factor)
    for box, colour in boxes:
        picture = _thick_box(picture, box * factor, colour)
    return picture


def _thick_box(
    picture: np.ndarray, box: np.ndarray, colour: Sequence[int]
) -> np.ndarray:
    inner = box + np.array([1, 1, -1, -1])
    return draw.draw_box(draw.draw_box(picture, box, colour), inner, colour)


def _dashed(
    picture: np.ndarray, box: np.ndarray, colour: Sequence[int], dash: int = 6
) -> np.ndarray:
    """Outline a box with gaps."""
    solid = _thick_box(picture, box, colour)
    rows, columns = np.indices(picture.shape[:2])
    gaps = (rows + columns) // dash % 2 == 1
    return np.where(gaps[..., None], picture, solid)
