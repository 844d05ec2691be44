"""From boxes on single frames, as annotation programs write them, to tubes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .findings import Findings
from .values import short
from .videos import usable_length


def number(value: Any, what: str) -> float:
    """A finite number, or a text that is one.

    Raises:
        ValueError: it is none; the message begins with ``what``.
    """
    try:
        result = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise ValueError(f'{what} must be a finite number, got {short(value)}')
    return result


def clip_box(
    box: list[float],
    size: tuple[int, int],
    where: str,
    place: str,
    findings: Findings,
) -> list[float] | None:
    """The part of a box [x1, y1, x2, y2] inside the frame, None if it has no area.

    Args:
        box: Finite numbers, pixels, 0-based, half-open.
        size: Width and height of the frame.
        where: Names file, video, track and frame in errors.
        place: Names the track in findings.
        findings: Gets boxes that are clipped or have no area.

    Raises:
        ValueError: the right edge lies left of the left one, or bottom above top.
    """
    if box[2] < box[0] or box[3] < box[1]:
        raise ValueError(
            f'{where}: box [x1, y1, x2, y2] must have x1 <= x2 and y1 <= y2, got {box}'
        )
    inside = [min(max(v, 0.0), float(size[i % 2])) for i, v in enumerate(box)]
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        findings.add('boxes without area in the frame, left out', place)
        return None
    findings.add('boxes clipped to the frame', place, int(inside != box))
    return inside


def make_tubes(
    boxes: Mapping[int, list[float] | None],
    label: int,
    max_gap: int,
    place: str,
    findings: Findings,
) -> list[dict]:
    """Cut one track into tubes of consecutive frames.

    Args:
        boxes: Frame -> box [x1, y1, x2, y2], or None where the actor is known to be
            absent.
        label: Class of the track.
        max_gap: So many frames in a row that are not in ``boxes`` get boxes on the
            straight line between their neighbours (before an absence: the last box); a
            longer gap, and every known absence, ends a tube.
        place: Names the track in findings.
        findings: Gets interpolated boxes and gaps.
    """
    tubes: list[dict] = []
    last = None
    for frame in sorted(boxes):
        box = boxes[frame]
        gap = 0 if last is None else frame - last - 1
        if last is not None and gap <= max_gap:
            rows = tubes[-1]['boxes']
            rows += _line(rows[-1], box or rows[-1], gap)
            rows += [box] if box else []
            findings.add('boxes interpolated', place, gap)
        elif box is not None:
            findings.add('gaps at which a track is cut', place, int(gap > 0))
            tubes.append({'label': label, 'start': frame, 'boxes': [box]})
        last = None if box is None else frame
    return tubes


def _line(first: list[float], last: list[float], count: int) -> list[list[float]]:
    parts = [step / (count + 1) for step in range(1, count + 1)]
    return [[a + (b - a) * part for a, b in zip(first, last)] for part in parts]


def fit_length(
    tubes: list[dict], num_frames: int, place: str, findings: Findings
) -> list[dict]:
    """Tubes without the frames from ``num_frames`` on."""
    fitting = []
    for tube in tubes:
        kept = tube['boxes'][: max(num_frames - tube['start'], 0)]
        past = len(tube['boxes']) - len(kept)
        findings.add('boxes past the end of the video, left out', place, past)
        if kept:
            fitting.append({**tube, 'boxes': kept})
    return fitting


def make_videos(
    sources: Sequence[dict],
    findings: Findings,
    max_gap: int = 0,
    video_root: Path | None = None,
) -> list[dict]:
    """Videos of the neutral annotation, tubes in the order of their first frames.

    Args:
        sources: ``{'id', 'file', 'size': (width, height), 'length': int or None,
            'last': last annotated frame (if the length is None), 'tracks': {name:
            {'label', 'boxes': {frame: box or None}}}}``.
        findings: Gets the irregularities.
        max_gap: Longest gap, in frames, that is filled by interpolation.
        video_root: Folder of the videos; those that are missing or of another size are
            dropped, and lengths are the real ones.

    Raises:
        ValueError: nothing tells how long a video is, or its name leaves the folder.
    """
    videos = []
    for source in sources:
        name, num_frames = source['id'], source['length']
        if video_root is not None:
            num_frames = usable_length(
                video_root, source['file'], source['size'], num_frames, findings
            )
            if num_frames is None:
                continue
        elif num_frames is None:
            findings.add('videos taken to end with their last image', name)
            num_frames = source['last'] + 1
            if not num_frames:
                raise ValueError(
                    f"video '{name}' has no image; give its 'length' or --video-root"
                )
        tubes = []
        for key, track in source['tracks'].items():
            place = f'{name}[{key}]'
            more = make_tubes(track['boxes'], track['label'], max_gap, place, findings)
            tubes += fit_length(more, num_frames, place, findings)
        tubes.sort(key=lambda tube: tube['start'])
        width, height = source['size']
        video = {'id': name, 'file': source['file'], 'width': width, 'height': height}
        videos.append({**video, 'num_frames': num_frames, 'tubes': tubes})
    return videos
