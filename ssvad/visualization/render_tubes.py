"""Tubes drawn on the frames of a video, one frame after the other."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from . import draw

MIN_WIDTH = 320
STRIP_WIDTH = 240
GOLDEN_RATIO = 0.618034
GREY = (170, 170, 170)


def tube_colour(number: int) -> tuple[int, int, int]:
    """A colour for the tubes of one actor; those of neighbouring numbers differ most.

    Args:
        number: 0, 1, 2, ...

    Returns:
        RGB, each 0 to 255.
    """
    hue = (0.02 + number * GOLDEN_RATIO) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.8, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def best_tubes(tubes: Sequence[Mapping], min_score: float = 0.0) -> list[Mapping]:
    """The best class of each actor.

    Args:
        tubes: with ``id`` and ``score``; tubes of one actor share the id.
        min_score: smallest score that is kept.

    Returns:
        A tube per actor, best first.
    """
    best: dict[int, Mapping] = {}
    for tube in sorted(tubes, key=lambda tube: -tube['score']):
        if tube['score'] >= min_score:
            best.setdefault(tube['id'], tube)
    return list(best.values())


def render_tubes(
    frames: Iterable[np.ndarray],
    tubes: Sequence[Mapping],
    masks: Iterable[np.ndarray] | None = None,
    seen: Sequence[float] = (0, 0, 1, 1),
) -> Iterator[np.ndarray]:
    """Draw masks, boxes, classes and scores on frame after frame.

    Tubes have the colour of their ``id``, and so has the mask inside their boxes; the
    mask outside is grey. What the network did not see is darker. Small frames are
    enlarged by a whole factor.

    Args:
        frames: of the video, (h, w, 3) uint8 RGB.
        tubes: each with ``id``, ``class``, ``score``, ``start`` and ``boxes`` (L, 4)
            xyxy in pixels of the frames, as in predictions of ``TubeInferencer``.
        masks: (h, w) bool for each frame; None draws none.
        seen: x, y, w, h of what the network saw as fractions of the frame.

    Yields:
        Pictures (H, W, 3) uint8 with even sides, as videos need them.
    """
    masks = iter(masks) if masks is not None else None
    for index, frame in enumerate(frames):
        mask = next(masks) if masks is not None else None
        shown = [
            (tube, np.asarray(tube['boxes'][index - tube['start']], float))
            for tube in tubes
            if 0 <= index - tube['start'] < len(tube['boxes'])
        ]
        yield _draw(np.ascontiguousarray(frame), shown, mask, seen)


def _draw(frame, shown, mask, seen) -> np.ndarray:
    factor = max(1, -(-MIN_WIDTH // frame.shape[1]))
    picture = draw.enlarge(_darken(frame, seen), factor)
    if mask is not None:
        for (y, x), part, colour in _coloured(mask, shown):
            part = draw.enlarge(part, factor)
            region = picture[y * factor :, x * factor :][: len(part), : part.shape[1]]
            region[:] = draw.overlay_mask(region, part, colour)
    # the best on top
    for tube, box in shown[::-1]:
        colour = tube_colour(tube['id'])
        text = f'{tube["class"]} {tube["score"]:.2f} #{tube["id"]}'
        picture = draw.draw_box(picture, box * factor, colour)
        _label(picture, text, box * factor, colour)
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), 'edge')


def _darken(frame: np.ndarray, seen: Sequence[float]) -> np.ndarray:
    height, width = frame.shape[:2]
    x, y, w, h = seen
    left, right = round(x * width), round((x + w) * width)
    top, bottom = round(y * height), round((y + h) * height)
    out = frame // 2
    out[top:bottom, left:right] = frame[top:bottom, left:right]
    return out


def _coloured(mask: np.ndarray, shown) -> Iterator[tuple]:
    """Parts of a mask, top left corner first: those in boxes, then what is left."""
    rest = mask.copy()
    for tube, box in shown:
        x1, y1 = np.maximum(np.floor(box[:2]), 0).astype(int)
        x2, y2 = np.ceil(box[2:]).astype(int)
        part = rest[y1:y2, x1:x2].copy()
        rest[y1:y2, x1:x2] = False
        yield (y1, x1), part, tube_colour(tube['id'])
    if rest.any():
        yield (0, 0), rest, GREY


def _label(picture: np.ndarray, text: str, box: np.ndarray, colour: Sequence) -> None:
    """Write on a bar of the tube's colour above the box, or inside at its top."""
    font = cv2.FONT_HERSHEY_SIMPLEX, max(0.4, picture.shape[1] / 1600)
    thickness = 1 + picture.shape[1] // 1200
    (width, height), below = cv2.getTextSize(text, *font, thickness)
    bar = height + below + 2
    left = int(np.clip(box[0], 0, max(0, picture.shape[1] - width - 4)))
    bottom = int(box[1]) if box[1] >= bar else max(0, int(box[1])) + bar
    corner = left, bottom - bar
    cv2.rectangle(picture, corner, (left + width + 4, bottom - 1), tuple(colour), -1)
    place = left + 2, bottom - below - 1
    cv2.putText(picture, text, place, *font, (0, 0, 0), thickness, cv2.LINE_AA)


class StripPicker:
    """Picks evenly spaced pictures as they pass, for a row in one PNG.

    Args:
        num_frames: that will pass.
        count: of pictures in the row.
    """

    def __init__(self, num_frames: int, count: int = 8) -> None:
        picked = np.linspace(0, num_frames - 1, min(count, num_frames))
        self.wanted = np.rint(picked).astype(int).tolist()
        self._pictures: list[np.ndarray] = []

    def watch(self, pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Give the pictures on, keeping small copies of some."""
        for index, picture in enumerate(pictures):
            if index in self.wanted:
                scale = min(1, STRIP_WIDTH / picture.shape[1])
                size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
                small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                self._pictures.append(draw.caption(small, f'frame {index}'))
            yield picture

    def row(self, title: str) -> np.ndarray:
        """The row, under a title."""
        return draw.film_strip(self._pictures, title)
