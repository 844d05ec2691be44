"""The neutral annotation file (format ``ssvad-tubes-1``), mask files and split lists.

Boxes are xyxy in absolute pixels of the source video, 0-based and half-open: the
right and bottom edge are exclusive. Frames are 0-based. A video may also name a file
of pixel masks, the union of its actors in each frame.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from ssvad.annotation_checks import check_annotations
from ssvad.files import read_json, read_text, write_bytes, write_text

FORMAT = 'ssvad-tubes-1'


def load_annotations(path: str | os.PathLike) -> dict:
    """Read and check an annotation file.

    Returns:
        ``{'format', 'classes': [name], 'videos': [{'id', 'file', 'width', 'height',
        'num_frames', 'tubes': [{'label', 'start', 'boxes': [[x1, y1, x2, y2]]}]}]}``,
        a video with pixel masks also ``'masks'``: their file, relative to a folder of
        masks, see :func:`save_masks`.

    Raises:
        ValueError: the file is not JSON or breaks a rule of the format; the message
            names file, video, tube, frame and value.
    """
    data = read_unchecked(path)
    check_annotations(data.get('classes'), data.get('videos'), str(path))
    return data


def read_unchecked(path: str | os.PathLike) -> dict:
    """Read an annotation file of which nothing but the format's name is sure.

    Raises:
        ValueError: the file is not JSON or says that it is something else.
    """
    data = read_json(path)
    if not isinstance(data, dict) or data.get('format') != FORMAT:
        found = data.get('format') if isinstance(data, dict) else type(data).__name__
        raise ValueError(
            f"{path}: expected an object with format '{FORMAT}', got {found!r:.200}; "
            'convert it with one of the tools/convert_* scripts'
        )
    return data


def save_annotations(
    path: str | os.PathLike, classes: Sequence[str], videos: Sequence[dict]
) -> None:
    """Check and write an annotation file, one video a line, all or nothing.

    Args:
        path: Where to write; an existing file is replaced.
        classes: Class names; a tube's label is an index into them.
        videos: As returned by :func:`load_annotations`; boxes may be arrays (n, 4).

    Raises:
        ValueError: as for :func:`load_annotations`; nothing is written then.
    """
    classes, videos = list(classes), list(videos)
    check_annotations(classes, videos, str(path))
    # One video a line keeps a change to one video a change of one line.
    lines = ',\n'.join(
        json.dumps(_plain_video(video), separators=(',', ':'), ensure_ascii=False)
        for video in videos
    )
    names = json.dumps(classes, ensure_ascii=False)
    text = f'{{"format": "{FORMAT}",\n"classes": {names},\n"videos": [\n{lines}\n]}}\n'
    write_text(path, text)


def save_masks(path: str | os.PathLike, masks: np.ndarray) -> None:
    """Write the pixel masks of a video, all or nothing; equal masks give equal bytes.

    The file is a compressed npz with ``shape``, the three numbers F, h, w, and ``bits``
    (F, ceil(h * w / 8)) uint8, the rows of each frame one after the other as
    ``np.packbits`` packs them.

    Args:
        path: Where to write, ending in ``.npz``; an existing file is replaced.
        masks: ``(F, h, w)``, above 0 where there is any actor; at source size.

    Raises:
        ValueError: other dimensions, or nothing in them.
    """
    masks = np.asarray(masks) > 0
    if masks.ndim != 3 or not masks.size:
        raise ValueError(f'{path}: expected masks (F, h, w), got {masks.shape}')
    bits = np.packbits(masks.reshape(len(masks), -1), axis=1)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, shape=np.array(masks.shape, np.int64), bits=bits)
    write_bytes(path, buffer.getvalue())


def load_masks(
    path: str | os.PathLike, frame_inds: np.ndarray, shape: tuple[int, int, int]
) -> np.ndarray:
    """Read the pixel masks of some frames of a video.

    Args:
        path: File of :func:`save_masks`.
        frame_inds: Frames to read, 0-based, in any order, repeats allowed.
        shape: F, h and w of the video.

    Returns:
        ``(len(frame_inds), h, w)`` uint8 in {0, 1}.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no mask file, or one of a video of another shape.
    """
    frames, height, width = shape = tuple(map(int, shape))
    packed = frames, -(-height * width // 8)
    try:
        bits, found = _unpack(path, packed[0] * packed[1] + 4096)
    except FileNotFoundError:
        raise
    # A damaged archive may raise nearly anything.
    except Exception as error:
        raise ValueError(
            f"{path}: not an npz mask file with 'bits' and 'shape' for masks (frames, "
            f'height, width) = {shape} ({error})'
        ) from error
    if found != shape:
        raise ValueError(
            f'{path}: expected masks (frames, height, width) = {shape} as the video '
            f'has, got {found}'
        )
    if bits.shape != packed or bits.dtype != np.uint8:
        raise ValueError(
            f'{path}: expected bits {packed} uint8 for masks {shape}, got '
            f'{bits.shape} {bits.dtype}'
        )
    masks = np.unpackbits(bits[frame_inds], axis=1, count=height * width)
    return masks.reshape(-1, height, width)


def _unpack(path: str | os.PathLike, limit: int) -> tuple[np.ndarray, tuple]:
    # to open a pipe would wait for ever
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    with np.load(path, allow_pickle=False) as arrays:
        # Packed, a thousand times as much would fit in the file.
        size = sum(entry.file_size for entry in arrays.zip.infolist())
        if size > limit:
            raise ValueError(f'unpacks to {size} bytes, expected at most {limit}')
        return arrays['bits'], tuple(arrays['shape'].tolist())


def read_split(path: str | os.PathLike) -> list[str]:
    """Read a split list: one video id a line, empty lines and ``#`` lines skipped.

    Raises:
        ValueError: the list holds no id, or one id twice.
    """
    seen: dict[str, int] = {}
    for number, video_id in split_lines(path):
        if video_id in seen:
            raise ValueError(
                f"{path}: line {number}: '{video_id}' stands on line {seen[video_id]} "
                'already'
            )
        seen[video_id] = number
    if not seen:
        raise ValueError(f'{path}: expected one video id a line, found none')
    return list(seen)


def split_lines(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Numbers, from 1, and ids of the lines of a split list, none checked."""
    lines = (line.strip() for line in read_text(path).split('\n'))
    return [
        (number, line)
        for number, line in enumerate(lines, 1)
        if line and not line.startswith('#')
    ]


def write_split(path: str | os.PathLike, ids: Iterable[str], comment: str = '') -> None:
    """Write a split list, with ``comment`` as its first line if given."""
    head = [f'# {comment}'] if comment else []
    write_text(path, '\n'.join([*head, *ids]) + '\n')


def ids_by_class(videos: Iterable[dict]) -> dict[int, list[str]]:
    """Ids of annotated videos by class, which is the label of their first tube."""
    ids: dict[int, list[str]] = {}
    for video in videos:
        if video['tubes']:
            ids.setdefault(video['tubes'][0]['label'], []).append(video['id'])
    return ids


def split_by_class(
    videos: Sequence[dict], fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Draw the labelled part of a training set, class by class.

    Of the n videos of a class ``floor(fraction * n)`` become labelled, the rule of the
    lineage's published lists; how they are drawn is said in :func:`draw_by_class`.

    Args:
        videos: Entries of an annotation file (the training videos only).
        fraction: In (0, 1); taken as the decimal it prints as, so 0.29 of 100 is 29.
        seed: Any integer.

    Returns:
        Ids of the labelled and of the unlabelled videos, each sorted.

    Raises:
        ValueError: the fraction is out of range or labels no video at all.
    """
    if not 0 < fraction < 1:
        raise ValueError(f'fraction must lie between 0 and 1, got {fraction!r}')
    sizes = {label: len(ids) for label, ids in sorted(ids_by_class(videos).items())}
    share = Fraction(str(fraction))
    counts = {label: int(share * size) for label, size in sizes.items()}
    if not any(counts.values()):
        raise ValueError(
            f'fraction {fraction} labels no video: floor(fraction * n) is 0 in every '
            f'class; videos per class: {sizes}. Take a larger fraction'
        )
    return draw_by_class(videos, counts, seed)


def draw_by_class(
    videos: Sequence[dict], counts: Mapping[int, int], seed: int
) -> tuple[list[str], list[str]]:
    """Draw some videos of each class.

    They are drawn in the order of a hash of seed and id, hence for one seed a larger
    count contains the smaller one, and the order of ``videos`` does not matter. A video
    without tubes has no class and is never drawn.

    Args:
        videos: Entries of an annotation file.
        counts: How many videos to draw, by label.
        seed: Any integer.

    Returns:
        Ids of the drawn videos and of all others, each sorted.

    Raises:
        ValueError: a class has fewer videos.
    """

    def draw(video_id: str) -> bytes:
        return hashlib.sha256(f'{seed} {video_id}'.encode()).digest()

    by_class = ids_by_class(videos)
    drawn: list[str] = []
    for label, count in counts.items():
        ids = by_class.get(label, [])
        if count > len(ids):
            raise ValueError(
                f'class {label} has {len(ids)} videos, {count} cannot be drawn'
            )
        drawn += sorted(ids, key=draw)[:count]
    rest = {video['id'] for video in videos} - set(drawn)
    return sorted(drawn), sorted(rest)


def _plain_video(video: dict) -> dict:
    tubes = []
    for tube in video['tubes']:
        boxes = np.asarray(tube['boxes'], dtype=np.float64).tolist()
        # Whole numbers lose their '.0': a third of the size of a file of pixel boxes.
        boxes = [[int(v) if v.is_integer() else v for v in box] for box in boxes]
        tubes.append({**tube, 'boxes': boxes})
    return {**video, 'tubes': tubes}
