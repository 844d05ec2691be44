"""Drawing masks, boxes and maps on frames; everything is (H, W, 3) uint8 RGB."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

GREEN, RED, WHITE = (40, 220, 60), (255, 70, 50), (255, 255, 255)
DARK, DARK_GREEN, ORANGE = (24, 24, 24), (20, 95, 35), (190, 90, 0)


def enlarge(frame: np.ndarray, factor: int) -> np.ndarray:
    """Repeat pixels of a frame or mask, so that small ones stay honest when large."""
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)


def overlay_mask(
    frame: np.ndarray, mask: np.ndarray, colour: Sequence[int], opacity: float = 0.45
) -> np.ndarray:
    """Tint the pixels where (H, W) ``mask`` is true and draw its contour."""
    mask = np.ascontiguousarray(mask, np.uint8)
    tinted = frame * (1 - opacity) + np.asarray(colour) * opacity
    out = np.where(mask[..., None] > 0, tinted, frame)
    out = np.ascontiguousarray(out, np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(out, contours, -1, tuple(colour), 1)


def draw_box(frame: np.ndarray, box: np.ndarray, colour: Sequence[int]) -> np.ndarray:
    """Outline a half-open xyxy box in pixels."""
    x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
    return cv2.rectangle(frame.copy(), (x1, y1), (x2 - 1, y2 - 1), tuple(colour), 1)


def heat_map(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Blend (H, W) values in [0, 1] over the frame, blue (0) to red (1)."""
    colours = cv2.applyColorMap(
        np.rint(values * 255).astype(np.uint8), cv2.COLORMAP_JET
    )
    return cv2.addWeighted(
        frame, 0.35, np.ascontiguousarray(colours[..., ::-1]), 0.65, 0
    )


def caption(frame: np.ndarray, text: str, colour: Sequence[int] = DARK) -> np.ndarray:
    """Add a bar with one line of text above the frame."""
    bar = np.full((18, frame.shape[1], 3), colour, np.uint8)
    cv2.putText(
        bar, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, WHITE, 1, cv2.LINE_AA
    )
    return np.concatenate([bar, frame])


def film_strip(frames: Sequence[np.ndarray], text: str) -> np.ndarray:
    """Frames side by side under one caption."""
    gap = np.full((frames[0].shape[0], 2, 3), DARK, np.uint8)
    row = [part for frame in frames for part in (frame, gap)][:-1]
    return caption(np.concatenate(row, axis=1), text)


def save_png(path: str, image: np.ndarray) -> None:
    """Write an RGB image.

    Raises:
        OSError: If the file cannot be written.
    """
    if not cv2.imwrite(path, image[..., ::-1]):
        raise OSError(f'could not write the picture {path}')
