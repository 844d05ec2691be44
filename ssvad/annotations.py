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
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from ssvad.annotation_checks import check_annotations

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
    try:
        data = json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not a JSON text file ({error})') from error
    if not isinstance(data, dict) or data.get('format') != FORMAT:
        found = data.get('format') if isinstance(data, dict) else type(data).__name__
        raise ValueError(
            f"{path}: expected an object with format '{FORMAT}', got {found!r}; "
            'convert it with one of the tools/convert_* scripts'
        )
    check_annotations(data.get('classes'), data.get('videos'), str(path))
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
    _write_text(path, text)


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
    _write_bytes(path, buffer.getvalue())


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
    try:
        with np.load(path, allow_pickle=False) as arrays:
            bits, found = arrays['bits'], tuple(arrays['shape'].tolist())
    except FileNotFoundError:
        raise
    # A damaged archive may raise nearly anything.
    except Exception as error:
        raise ValueError(
            f"{path}: not an npz mask file with 'bits' and 'shape' ({error})"
        ) from error
    frames, height, width = shape = tuple(map(int, shape))
    if found != shape:
        raise ValueError(
            f'{path}: expected masks (frames, height, width) = {shape} as the video '
            f'has, got {found}'
        )
    packed = frames, -(-height * width // 8)
    if bits.shape != packed or bits.dtype != np.uint8:
        raise ValueError(
            f'{path}: expected bits {packed} uint8 for masks {shape}, got '
            f'{bits.shape} {bits.dtype}'
        )
    masks = np.unpackbits(bits[frame_inds], axis=1, count=height * width)
    return masks.reshape(-1, height, width)


def read_split(path: str | os.PathLike) -> list[str]:
    """Read a split list: one video id a line, empty lines and ``#`` lines skipped.

    Raises:
        ValueError: the list holds no id, or one id twice.
    """
    ids: list[str] = []
    seen: dict[str, int] = {}
    text = Path(path).read_text(encoding='utf-8-sig')
    for number, line in enumerate(text.split('\n'), 1):
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        if line in seen:
            raise ValueError(
                f"{path}: line {number}: '{line}' stands on line {seen[line]} already"
            )
        seen[line] = number
        ids.append(line)
    if not ids:
        raise ValueError(f'{path}: expected one video id a line, found none')
    return ids


def write_split(path: str | os.PathLike, ids: Iterable[str], comment: str = '') -> None:
    """Write a split list, with ``comment`` as its first line if given."""
    head = [f'# {comment}'] if comment else []
    _write_text(path, '\n'.join([*head, *ids]) + '\n')


def split_by_class(
    videos: Sequence[dict], fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Draw the labelled part of a training set, class by class.

    Of the n videos of a class ``floor(fraction * n)`` become labelled (the rule of the
    lineage's published lists); a video's class is the label of its first tube, a video
    without tubes is always unlabelled. The order in which videos are drawn is a hash of
    seed and id, hence for one seed a larger fraction contains the smaller one, and the
    order of ``videos`` does not matter.

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
    by_class: dict[int, list[str]] = {}
    for video in videos:
        if video['tubes']:
            by_class.setdefault(video['tubes'][0]['label'], []).append(video['id'])

    def draw(video_id: str) -> bytes:
        return hashlib.sha256(f'{seed} {video_id}'.encode()).digest()

    labeled: list[str] = []
    for ids in by_class.values():
        count = int(Fraction(str(fraction)) * len(ids))
        labeled += sorted(ids, key=draw)[:count]
    if not labeled:
        sizes = {label: len(ids) for label, ids in sorted(by_class.items())}
        raise ValueError(
            f'fraction {fraction} labels no video: floor(fraction * n) is 0 in every '
            f'class; videos per class: {sizes}. Take a larger fraction'
        )
    chosen = set(labeled)
    rest = {video['id'] for video in videos} - chosen
    return sorted(labeled), sorted(rest)


def _plain_video(video: dict) -> dict:
    tubes = []
    for tube in video['tubes']:
        boxes = np.asarray(tube['boxes'], dtype=np.float64).tolist()
        # Whole numbers lose their '.0': a third of the size of a file of pixel boxes.
        boxes = [[int(v) if v.is_integer() else v for v in box] for box in boxes]
        tubes.append({**tube, 'boxes': boxes})
    return {**video, 'tubes': tubes}


def _write_text(path: str | os.PathLike, text: str) -> None:
    _write_bytes(path, text.encode('utf-8'))


def _write_bytes(path: str | os.PathLike, content: bytes) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
