"""Shapes, textures and backgrounds of the toy world."""

from __future__ import annotations

import cv2
import numpy as np

SHAPES = ('cross', 'disc', 'square', 'star', 'triangle')
PATCH = 48  # side of a sprite's texture in pixels, before scaling


def random_texture(rng: np.random.Generator) -> np.ndarray:
    """Coarse patches of two bright colours, (PATCH, PATCH, 3) float32."""
    first = rng.uniform(150, 255, 3)
    second = first - rng.uniform(20, 60, 3)
    cells = rng.permutation(np.arange(16) % 2).reshape(4, 4, 1)
    cells = first + cells * (second - first) + rng.normal(0, 8, (4, 4, 3))
    cells = np.clip(cells, 0, 255).astype(np.float32)
    return cv2.resize(cells, (PATCH, PATCH), interpolation=cv2.INTER_NEAREST)


def shape_alpha(name: str) -> np.ndarray:
    """Alpha (PATCH, PATCH) float32 in [0, 1] of a shape that nearly fills the patch."""
    grid = (np.arange(PATCH) - (PATCH - 1) / 2) / (PATCH / 2)
    x, y = np.meshgrid(grid, grid)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    if name == 'disc':
        inside = radius < 0.9
    elif name == 'square':
        inside = np.maximum(abs(x), abs(y)) < 0.75
    elif name == 'cross':
        inside = (np.minimum(abs(x), abs(y)) < 0.33) & (radius < 0.9)
    elif name == 'triangle':
        inside = (
            radius * np.cos((angle + np.pi / 3) % (2 * np.pi / 3) - np.pi / 3) < 0.48
        )
    elif name == 'star':
        inside = radius < 0.7 + 0.2 * np.cos(5 * angle)
    else:
        raise ValueError(f'unknown shape {name!r}, expected one of {SHAPES}')
    return cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0)


def random_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth random colours at two scales, (height, width, 3) float64, 0..255."""
    image = np.zeros((height, width, 3))
    for cells, weight in ((3, 0.6), (9, 0.4)):
        coarse = rng.uniform(0, 255, (cells, cells, 3))
        image += weight * cv2.resize(
            coarse, (width, height), interpolation=cv2.INTER_CUBIC
        )
    return np.clip(image, 0, 255)
