"""A toy world of acting sprites in which only motion tells who acts, and how.

Every sprite of a video, acting or not, is drawn from one distribution: shape, texture,
size, pose and slow drift. An actor's action is one function of a phase
(:func:`motion_at`); while it does not act its phase stands still, as a distractor's
always does. No single frame therefore shows who acts or which class it is, and all
classes keep their meaning when the video is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ssvad.datasets.toy_textures import (
    SHAPES,
    random_background,
    random_texture,
    shape_alpha,
)

CLASSES = ('bounce', 'pulse', 'spin', 'sway')


@dataclass(frozen=True)
class ToyOptions:
    """What a toy video may contain; pairs are inclusive ranges.

    Args:
        width: Pixels, even.
        height: Pixels, even.
        num_frames: Length of a video.
        sprite_size: Diameter of a sprite at rest, pixels.
        amplitude: Reach of an action as a share of the sprite's diameter.
        period: Frames an action takes to repeat.
        max_distractors: Sprites that never act, 0 to this many.
        camera_shake: Largest random offset of the scene in a frame, pixels.
        background_speed: Largest speed of the background, pixels a frame.
        sprite_drift: Largest slow drift of any sprite, pixels a frame.
        untrimmed_share: Share of videos whose actors stand still before and after.
        multi_actor_share: Share of videos with two actors.
        background_level: Mean grey level of the background; sprites are bright, and
            the closer it comes to them the longer a network takes to see motion.
        contrast: Contrast of the background in (0, 1].
        noise: Standard deviation of the pixel noise, grey levels.
    """

    width: int = 40
    height: int = 32
    num_frames: tuple[int, int] = (36, 44)
    sprite_size: tuple[float, float] = (12, 17)
    amplitude: tuple[float, float] = (0.5, 0.7)
    period: tuple[float, float] = (14, 22)
    max_distractors: int = 1
    camera_shake: float = 0.3
    background_speed: float = 0.2
    sprite_drift: float = 0.03
    untrimmed_share: float = 0.1
    multi_actor_share: float = 0.1
    background_level: float = 60.0
    contrast: float = 0.3
    noise: float = 2.0


DIFFICULTIES = {
    'easy': ToyOptions(
        max_distractors=0,
        camera_shake=0.0,
        background_speed=0.1,
        untrimmed_share=0.0,
        multi_actor_share=0.0,
        contrast=0.15,
        noise=1.0,
    ),
    'default': ToyOptions(),
    'hard': ToyOptions(
        sprite_size=(10, 16),
        amplitude=(0.35, 0.55),
        period=(20, 30),
        max_distractors=2,
        camera_shake=0.6,
        background_speed=0.4,
        sprite_drift=0.06,
        untrimmed_share=0.6,
        multi_actor_share=0.4,
        background_level=100.0,
        contrast=0.6,
        noise=4.0,
    ),
}


class Motion(NamedTuple):
    """Pose relative to rest: shift in diameters, factor of size, turn in radians."""

    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    turn: float = 0.0


@dataclass(frozen=True)
class Sprite:
    """One sprite; it acts in frames ``start <= f < stop``, a distractor in none."""

    texture: np.ndarray  # (PATCH, PATCH, 3) float32, grey levels
    alpha: np.ndarray  # (PATCH, PATCH) float32 in [0, 1]
    size: float
    home: tuple[float, float]
    drift: tuple[float, float]
    turn: float
    amplitude: float
    phase: float
    speed: float  # radians a frame, negative for the other direction
    start: int
    stop: int


@dataclass(frozen=True)
class Scene:
    """Everything a video shows, before it is drawn; ``sprites`` back to front."""

    label: int
    num_frames: int
    sprites: tuple[Sprite, ...]
    canvas: np.ndarray  # (H + border, W + border, 3) float32
    travel: np.ndarray  # (F, 2) offset of the frame in the canvas, x and y
    shake: np.ndarray  # (F, 2) offset of the whole scene, pixels
    noise: float
    noise_seed: int


def motion_at(name: str, phase: float, amplitude: float) -> Motion:
    """Pose of an actor of class ``name`` at a phase in radians.

    Mirroring the picture turns (dx, turn) into (-dx, -turn). For every class that is
    the same motion at another phase, run forwards or backwards.
    """
    if name == 'sway':
        return Motion(dx=amplitude * np.sin(phase))
    if name == 'bounce':
        return Motion(dy=amplitude * np.sin(phase))
    if name == 'pulse':
        return Motion(scale=1 + 0.8 * amplitude * np.sin(phase))
    if name == 'spin':
        return Motion(turn=phase)
    raise ValueError(f'unknown toy class {name!r}, expected one of {CLASSES}')


def sample_scene(
    seed: int, split: str, index: int, options: ToyOptions = DIFFICULTIES['default']
) -> Scene:
    """Draw the contents of video ``index`` of a split; see `render_video`.

    Raises:
        ValueError: unknown split or negative seed or index.
    """
    splits = ('train', 'test')
    if split not in splits or seed < 0 or index < 0:
        raise ValueError(
            f'expected a split of {splits}, seed >= 0 and index >= 0, got '
            f'{split!r}, {seed}, {index}'
        )
    rng = np.random.default_rng([seed, splits.index(split), index])
    label = index % len(CLASSES)
    num_frames = int(rng.integers(*options.num_frames, endpoint=True))
    actors = 1 + int(rng.random() < options.multi_actor_share)
    count = actors + int(rng.integers(options.max_distractors, endpoint=True))
    untrimmed = rng.random() < options.untrimmed_share
    homes = _spread_out(rng, count, options)
    sprites = []
    for home, acting in zip(homes, rng.permutation(np.arange(count) < actors)):
        start, stop = 0, num_frames
        if not acting:
            stop = 0
        elif untrimmed:
            length = int(num_frames * rng.uniform(0.45, 0.8))
            start = int(rng.integers(num_frames - length, endpoint=True))
            stop = start + length
        sprites.append(_sample_sprite(rng, home, start, stop, options))
    velocity = _random_vector(rng, options.background_speed)
    shake = rng.uniform(-1, 1, (num_frames, 2)) * options.camera_shake
    travel = np.arange(num_frames)[:, None] * velocity
    travel = travel - travel.min(0) + options.camera_shake
    border = int(np.ceil((travel + options.camera_shake).max())) + 2
    canvas = random_background(rng, options.height + border, options.width + border)
    canvas = options.background_level + options.contrast * (canvas - 127.5)
    noise_seed = int(rng.integers(2**32))
    return Scene(
        label,
        num_frames,
        tuple(sprites),
        canvas.astype(np.float32),
        travel,
        shake,
        options.noise,
        noise_seed,
    )


def _spread_out(
    rng: np.random.Generator, count: int, options: ToyOptions
) -> np.ndarray:
    """Homes (count, 2) inside the frame: of 64 draws the one with the widest gaps."""
    margin = 0.6 * options.sprite_size[1]
    low = np.array([margin, margin])
    high = np.array([options.width, options.height]) - margin
    draws = rng.uniform(low, high, (64, count, 2))
    gaps = np.linalg.norm(draws[:, :, None] - draws[:, None], axis=-1)
    gaps[:, np.arange(count), np.arange(count)] = np.inf
    # One sprite needs no gap: any draw will do, hence the first.
    return draws[np.argmax(gaps.min((1, 2)))]


def _sample_sprite(
    rng: np.random.Generator,
    home: np.ndarray,
    start: int,
    stop: int,
    options: ToyOptions,
) -> Sprite:
    speed = 2 * np.pi / rng.uniform(*options.period)
    return Sprite(
        texture=random_texture(rng),
        alpha=shape_alpha(SHAPES[rng.integers(len(SHAPES))]),
        size=rng.uniform(*options.sprite_size),
        home=tuple(home),
        drift=tuple(_random_vector(rng, options.sprite_drift)),
        turn=rng.uniform(0, 2 * np.pi),
        amplitude=rng.uniform(*options.amplitude),
        phase=rng.uniform(0, 2 * np.pi),
        speed=speed * rng.choice((-1, 1)),
        start=start,
        stop=stop,
    )


def _random_vector(rng: np.random.Generator, longest: float) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return longest * rng.uniform(0.3, 1) * np.array([np.cos(angle), np.sin(angle)])
