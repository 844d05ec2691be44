"""Checking detections as they stand in a file, and turning them into the package's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from conversion.findings import Findings
from ssvad.evaluation.frame_ap import FrameBoxes
from ssvad.evaluation.tubes import Tube

# What is added to x1, y1, x2, y2 to get half-open pixels that count from 0.
PIXELS = {
    'half-open': (0, 0, 0, 0),
    'inclusive': (0, 0, 1, 1),
    'one-based': (-1, -1, 0, 0),
}

# Beyond any picture; further out a float no longer tells x2 + 1 from x1.
LARGEST = 1e9


class Layout(NamedTuple):
    """How a file counts.

    Attributes:
        first_frame: number of a video's first frame.
        pixel: 'one-based' has pixels from 1, the right and bottom edge belonging to
            the box, as UCF101-24 and ACT; 'inclusive' the same from 0; 'half-open'
            pixels from 0, the right and bottom edge exclusive.
    """

    first_frame: int
    pixel: str


ONE_BASED = Layout(1, 'one-based')


class Target(NamedTuple):
    """What detections are compared with, and how their file refers to it.

    Attributes:
        classes: names of the K classes.
        names: ids of the videos of the ground truth.
        num_frames: of each of these videos.
        listed: ids of the videos in the order in which the file numbers them.
        layout: how the file counts.
        skipped: gets the detections of videos the ground truth lacks, which are left
            out; None refuses them.
    """

    classes: Sequence[str]
    names: Sequence[str]
    num_frames: Sequence[int]
    listed: Sequence[str]
    layout: Layout
    skipped: Findings | None = None


class Rows(NamedTuple):
    """N boxes as they stand in a file, one row each.

    Attributes:
        video: (N,) index into the file's list of videos.
        frame: (N,) number of the frame.
        label: (N,) class, from 0.
        scores: (N,).
        boxes: (N, 4) x1, y1, x2, y2.
    """

    video: np.ndarray
    frame: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray


def checked_boxes(
    rows: Rows, target: Target, place: Callable[[int], str]
) -> FrameBoxes:
    """Check rows and turn them into half-open boxes, frames and videos of the truth.

    Args:
        rows: as in the file.
        target: what they are compared with.
        place: index of a row -> where it is, for messages.

    Raises:
        ValueError: a row breaks a rule; the message names the first, and its value.
    """
    return _check(rows, target, place)[0]


def checked_tubes(
    rows: Rows, lengths: np.ndarray, target: Target, place: Callable[[int], str]
) -> list[Tube]:
    """Tubes from the rows of all their boxes.

    Args:
        rows: the boxes, tube by tube; those of a tube have one video, label and score.
        lengths: (n,) number of rows of each tube.
        target: what they are compared with.
        place: index of a tube -> where it is, for messages.

    Raises:
        ValueError: as for `checked_boxes`, or a tube has no box or leaves out a frame.
    """
    lengths = np.asarray(lengths, np.int64)
    demand(lengths > 0, place, lambda i: 'has no box')
    owner = np.repeat(np.arange(len(lengths)), lengths)
    begin = np.cumsum(lengths) - lengths

    def box_place(i: int) -> str:
        return f'{place(owner[i])}: box {i - begin[owner[i]]}'

    boxes, kept = _check(rows, target, box_place)
    first = np.r_[True, owner[kept][1:] != owner[kept][:-1]][: len(kept)]
    demand(
        first | (np.diff(boxes.frame, prepend=0) == 1),
        lambda i: box_place(kept[i]),
        lambda i: (
            f'frame {rows.frame[kept[i]]:.0f} does not follow '
            f'{rows.frame[kept[i - 1]]:.0f}; a tube has a box on each of its frames'
        ),
    )
    starts = np.flatnonzero(first)
    return [
        Tube(
            int(boxes.video[a]),
            int(boxes.label[a]),
            int(boxes.frame[a]),
            boxes.boxes[a:b],
            float(boxes.scores[a]),
        )
        for a, b in zip(starts, [*starts[1:], len(kept)])
    ]


def demand(
    good: np.ndarray, place: Callable[[int], str], complaint: Callable[[int], str]
) -> None:
    """Raise a ValueError about the first row that is not ``good``, counting the rest.

    Args:
        good: (N,) bool.
        place: index of a row -> where it is.
        complaint: index of a row -> what is wrong with it.
    """
    if not good.all():
        bad = np.flatnonzero(~good)
        more = f' (and {len(bad) - 1} more)' if len(bad) > 1 else ''
        raise ValueError(f'{place(bad[0])}: {complaint(bad[0])}{more}')


def as_rows(columns: dict[str, np.ndarray], where: str) -> Rows:
    """Put the columns of a file together.

    Raises:
        ValueError: a column holds no numbers or has another length than the others.
    """
    columns = {key: np.asarray(column) for key, column in columns.items()}
    num = len(columns['boxes']) if columns['boxes'].ndim else 0
    for key, column in columns.items():
        shape = (num, 4) if key == 'boxes' else (num,)
        if column.dtype.kind not in 'iuf' or column.shape != shape:
            raise ValueError(
                f"{where}: expected '{key}' to be numbers of shape {shape}, got "
                f'{column.dtype} {column.shape}'
            )
    return Rows(**columns)


def _check(
    rows: Rows, target: Target, place: Callable[[int], str]
) -> tuple[FrameBoxes, np.ndarray]:
    """`checked_boxes`, and the (N',) rows that are left."""
    number = {name: i for i, name in enumerate(target.names)}
    video = _whole(rows.video, 0, len(target.listed) - 1, 'video', place)
    in_truth = np.array([number.get(name, -1) for name in target.listed], int)[video]
    kept = np.arange(len(video))
    if target.skipped is None:
        demand(
            in_truth >= 0,
            place,
            lambda i: (
                f"video '{target.listed[video[i]]}' is not in the ground truth; "
                '--skip-unknown leaves such videos out'
            ),
        )
    else:
        kept = np.flatnonzero(in_truth >= 0)
        for unknown in np.unique(video[in_truth < 0]):
            times = np.count_nonzero(video == unknown)
            kind = 'boxes of videos without ground truth, left out'
            target.skipped.add(kind, target.listed[unknown], times)

    def kept_place(i: int) -> str:
        return place(kept[i])

    rows, in_truth = Rows(*(column[kept] for column in rows)), in_truth[kept]
    first = target.layout.first_frame
    last = np.array(target.num_frames, int)[in_truth] - 1 + first
    label = _whole(rows.label, 0, len(target.classes) - 1, 'class', kept_place)
    frame = _whole(rows.frame, first, last, 'frame', kept_place)
    scores, boxes = rows.scores.astype(np.float64), rows.boxes.astype(np.float64)
    demand(
        np.isfinite(scores),
        kept_place,
        lambda i: f'score {scores[i]}, expected a finite number',
    )
    # a box of one pixel has equal corners if the last pixel belongs to it
    closed = target.layout.pixel != 'half-open'
    sides = boxes[:, 2:] - boxes[:, :2]
    for good, rule in (
        ((np.abs(boxes) <= LARGEST).all(axis=1), f'finite numbers up to {LARGEST:g}'),
        (
            ((sides > 0) | ((sides == 0) & closed)).all(axis=1),
            'x1 <= x2 and y1 <= y2' if closed else 'x1 < x2 and y1 < y2',
        ),
    ):
        demand(
            good,
            kept_place,
            lambda i, rule=rule: f'box {boxes[i].tolist()}, expected {rule}',
        )
    boxes = boxes + np.array(PIXELS[target.layout.pixel], np.float64)
    return FrameBoxes(in_truth, frame - first, label, boxes, scores), kept


def _whole(
    values: np.ndarray,
    low: int,
    high: int | np.ndarray,
    what: str,
    place: Callable[[int], str],
) -> np.ndarray:
    """Values as int64, after checking that they are whole numbers in low..high."""
    high = np.broadcast_to(high, values.shape)
    # false for NaN, too
    good = (values >= low) & (values <= high) & (values == np.floor(values))

    def complaint(i: int) -> str:
        # 3.0 of a table of floats reads better as 3
        value = f'{values[i].item():.10g}'
        return f'{what} {value}, expected a whole number in {low}..{high[i]}'

    demand(good, place, complaint)
    return values.astype(np.int64)
