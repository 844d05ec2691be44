"""Rendering of the toy world (:mod:`ssvad.datasets.toy_scene`): frames and tubes."""

from __future__ import annotations

import cv2
import numpy as np

from ssvad.datasets.toy_scene import (
    CLASSES,
    DIFFICULTIES,
    Scene,
    Sprite,
    ToyOptions,
    motion_at,
    sample_scene,
)
from ssvad.datasets.toy_textures import PATCH


def render_video(
    seed: int, split: str, index: int, options: ToyOptions = DIFFICULTIES['default']
) -> tuple[np.ndarray, list[dict]]:
    """Draw toy video ``index`` of a split; its class is ``index`` modulo the classes.

    The result depends on the arguments only, never on other videos.

    Returns:
        Frames (F, H, W, 3) uint8 RGB, and the tubes ``{'label', 'start', 'boxes'}`` of
        the acting frames of each actor: the box of its visible pixels, half-open.
    """
    scene = sample_scene(seed, split, index, options)
    frames, owner = render_scene(scene, options)
    return frames, tubes_of(scene, owner)


def render_scene(scene: Scene, options: ToyOptions) -> tuple[np.ndarray, np.ndarray]:
    """Draw a scene.

    Returns:
        Frames (F, H, W, 3) uint8 RGB and the owner of each pixel (F, H, W) int8: the
        index of the sprite that is visible there, -1 for the background.
    """
    size = (options.width, options.height)
    shape = (scene.num_frames, options.height, options.width)
    frames = np.empty((*shape, 3), np.uint8)
    owner = np.full(shape, -1, np.int8)
    rng = np.random.default_rng(scene.noise_seed)
    for f in range(scene.num_frames):
        shift = np.eye(2, 3)
        shift[:, 2] = scene.shake[f] - scene.travel[f]
        image = cv2.warpAffine(scene.canvas, shift, size)
        for index, sprite in enumerate(scene.sprites):
            matrix = _placement(scene, sprite, f)
            alpha = cv2.warpAffine(sprite.alpha, matrix, size)
            texture = cv2.warpAffine(
                sprite.texture, matrix, size, borderMode=cv2.BORDER_REPLICATE
            )
            image += alpha[..., None] * (texture - image)
            owner[f][alpha >= 0.5] = index
        image += rng.normal(0, scene.noise, image.shape)
        frames[f] = np.clip(np.rint(image), 0, 255)
    return frames, owner


def tubes_of(scene: Scene, owner: np.ndarray) -> list[dict]:
    """Tight boxes of the actors' visible pixels in their acting frames."""
    tubes = []
    for index, sprite in enumerate(scene.sprites):
        if sprite.stop <= sprite.start:
            continue
        boxes = []
        for f in range(sprite.start, sprite.stop):
            ys, xs = np.nonzero(owner[f] == index)
            if not len(xs):
                raise ValueError(
                    f'sprite {index} acts unseen in frame {f}; reduce sprite_drift, '
                    'amplitude, camera_shake or the number of sprites'
                )
            box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            boxes.append([float(value) for value in box])
        tubes.append({'label': scene.label, 'start': sprite.start, 'boxes': boxes})
    return tubes


def _placement(scene: Scene, sprite: Sprite, frame: int) -> np.ndarray:
    """Matrix (2, 3) from texture pixels to frame pixels."""
    acted = min(max(frame, sprite.start), sprite.stop - 1) - sprite.start
    phase = sprite.phase + acted * sprite.speed
    motion = motion_at(CLASSES[scene.label], phase, sprite.amplitude)
    middle, shake = scene.num_frames / 2, scene.shake[frame]
    x, y = np.add(sprite.home, np.multiply(frame - middle, sprite.drift)) + shake
    x, y = x + sprite.size * motion.dx, y + sprite.size * motion.dy
    factor = sprite.size * motion.scale / PATCH
    angle = sprite.turn + motion.turn
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    centre = (PATCH - 1) / 2
    return np.array(
        [
            [cos, -sin, x - centre * (cos - sin)],
            [sin, cos, y - centre * (sin + cos)],
        ]
    )
