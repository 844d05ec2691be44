"""What inference hands out: plain Python, a video with tubes drawn, a strip."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ssvad.evaluation.tubes import Tube
from ssvad.video_io import write_video
from ssvad.visualization.draw import save_png
from ssvad.visualization.render_tubes import StripPicker, best_tubes, render_tubes


def plain_tubes(tubes: Sequence[Tube], classes: Sequence[str]) -> list[dict]:
    """Tubes of one video as dicts of plain Python, in the order given.

    Args:
        tubes: those that one track gave share its array of boxes.
        classes: names; [] if not known.

    Returns:
        For each tube ``id``, of the actor, which tubes of one track share, counted
        from 0 by first frame; ``label``; ``class``, the name; ``score``; ``start``, the
        first frame, from 0; ``boxes``, [x1, y1, x2, y2] for each frame from there on,
        in pixels of the video, right and bottom exclusive.
    """
    first = sorted(tubes, key=lambda tube: (tube.start, -tube.score))
    ids: dict[int, int] = {}
    for tube in first:
        ids.setdefault(id(tube.boxes), len(ids))
    return [
        {
            'id': ids[id(tube.boxes)],
            'label': tube.label,
            'class': classes[tube.label] if classes else f'class {tube.label}',
            'score': tube.score,
            'start': tube.start,
            'boxes': tube.boxes.tolist(),
        }
        for tube in tubes
    ]


def write_pictures(
    path: str | os.PathLike,
    result: Mapping,
    frames: Iterable[np.ndarray],
    masks: Iterable[np.ndarray],
    seen: Sequence[float],
) -> str:
    """Write ``<path>.mp4`` and ``<path>.png``, frame by frame.

    Args:
        path: without suffix.
        result: prediction of ``TubeInferencer``.
        frames: those that were inferred.
        masks: see :func:`render_tubes`, as the next.
        seen: x, y, w, h as fractions of the frame.

    Returns:
        Path of the video.
    """
    tubes = best_tubes(result['tubes'])
    picker = StripPicker(result['num_frames'])
    write_video(
        f'{path}.mp4',
        picker.watch(render_tubes(frames, tubes, masks, seen)),
        result['fps'],
    )
    title = ', '.join(f'{tube["class"]} {tube["score"]:.2f}' for tube in tubes[:6])
    save_png(f'{path}.png', picker.row(f'{os.path.basename(path)}: {title or "-"}'))
    return f'{path}.mp4'
