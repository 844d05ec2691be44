"""Convert the corrected UCF101-24 annotation (pyannot.pkl) to the neutral JSON file.

    python tools/convert_ucf24.py pyannot.pkl --out data/ucf24/annotations.json \
        --testlist testlist01.txt --video-root data/ucf24/videos --video-ext avi

What the pickle holds and what becomes of it:

* Boxes are xywh, 1-based, covering the pixels x to x + w inclusive (as ACT's evaluation
  reads them), in uint8 or uint16. They are cast to int64 first, because x + w wraps,
  and become the 0-based half-open [x - 1, y - 1, x + w, y + h]: its plain IoU equals
  ACT's inclusive one. Then they are clipped to 320 x 240.
* ``sf`` is the first frame, 0-based; ``ef`` is exclusive.
* The label is the index of the video's folder among all folders, sorted by name.

Irregular entries are counted, named and resolved so: a tube with another number of
boxes than frames ends with the shorter of the two; frames before 0 or past the end of
the video are cut off; a box without area (w < 1 or h < 1, or none left after clipping)
takes the place of the box before it, or is cut off at either end of the tube; a tube
with nothing left is dropped. With ``--video-root`` videos that are missing or not
320 x 240 are dropped, and a video shorter than its annotation says is taken at its real
length.
"""

from __future__ import annotations

import argparse
import io
import pickle
import time
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ssvad.annotations import save_annotations, write_split

WIDTH, HEIGHT = 320, 240


class Findings(defaultdict):
    """Kind of irregularity -> where it was met."""

    def __init__(self) -> None:
        super().__init__(list)

    def add(self, kind: str, place: str, times: int = 1) -> None:
        """Note ``times`` irregularities at one place."""
        if times:
            self[kind] += [place] * times

    def lines(self, named: int = 5) -> list[str]:
        """One line a kind, naming the first few places."""
        lines = []
        for kind, places in sorted(self.items()):
            counts = Counter(places)
            names = [f'{place} x{n}' if n > 1 else place for place, n in counts.items()]
            more = ', ...' if names[named:] else ''
            lines.append(f'{len(places)} {kind}: {", ".join(names[:named])}{more}')
        return lines


def _plain_dtype(*args: Any) -> np.dtype:
    dtype = np.dtype(*args)
    if dtype.kind not in 'iufSU':
        raise pickle.UnpicklingError(f'refused the data type {dtype!r}')
    return dtype


# The functions are taken from NumPy itself: their module moved between versions.
ALLOWED = {
    ('multiarray', 'scalar'): np.uint8(0).__reduce__()[0],
    ('multiarray', '_reconstruct'): np.empty(0).__reduce__()[0],
    ('numpy', 'dtype'): _plain_dtype,
    ('numpy', 'ndarray'): np.ndarray,
}


class PlainUnpickler(pickle.Unpickler):
    """Unpickler that builds numbers, texts, containers and NumPy arrays of them."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few allowed functions."""
        if module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            module = 'multiarray'
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f'refused to load {module}.{name}')
        return ALLOWED[module, name]


def load_pyannot(path: Path) -> dict[str, dict]:
    """Read the pickle without running anything it names.

    Returns:
        ``{video: {'annotations': [{'label', 'sf', 'ef', 'boxes'}], 'numf', 'label'}}``.

    Raises:
        ValueError: not such a pickle, or one that asks for anything but NumPy data.
    """
    raw = io.BytesIO(path.read_bytes())
    try:
        data = PlainUnpickler(raw, encoding='latin1').load()
    # A damaged pickle may raise nearly anything.
    except Exception as error:
        raise ValueError(f'{path}: cannot be read as pyannot.pkl: {error}') from error
    keys = {'annotations', 'numf'}, {'label', 'sf', 'ef', 'boxes'}
    try:
        for name, entry in data.items():
            parts = [(entry, keys[0]), *((t, keys[1]) for t in entry['annotations'])]
            if any(not needed <= part.keys() for part, needed in parts):
                raise KeyError(name)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: expected {{video: entry}} with the keys {keys[0]}, each of its '
            f'annotations with {keys[1]}; broken at {error!r}'
        ) from error
    return {str(name): entry for name, entry in data.items()}


def convert_tube(
    annotation: dict, num_frames: int, where: str, findings: Findings
) -> dict | None:
    """Convert one annotated tube; None if nothing of it is left.

    Args:
        annotation: ``sf``, ``ef``, ``label`` and ``boxes`` (n, 4) as in the pickle.
        num_frames: Usable length of the video.
        where: Names the tube in findings.
        findings: Gets the irregularities, resolved as the module says.
    """
    start, stop = int(annotation['sf']), int(annotation['ef'])
    boxes = np.asarray(annotation['boxes']).astype(np.int64)
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(f'{where}: expected boxes (n, 4), got {boxes.shape}')
    boxes = boxes.reshape(-1, 4)
    if len(boxes) != stop - start:
        findings.add('tubes with another number of boxes than frames', where)
    boxes = boxes[: max(stop - start, 0)]
    if start < 0 or start + len(boxes) > num_frames:
        findings.add('tubes that leave the video', where)
        boxes = boxes[max(-start, 0) : max(num_frames - start, 0)]
        start = max(start, 0)
    x, y, w, h = boxes.T
    raw = np.stack([x - 1, y - 1, x + w, y + h], axis=1)
    boxes = raw.clip(0, (WIDTH, HEIGHT) * 2)
    good = (w > 0) & (h > 0) & (boxes[:, :2] < boxes[:, 2:]).all(1)
    clipped = int((raw != boxes).any(1).sum())
    findings.add('boxes clipped to the frame', where, clipped)
    findings.add('boxes without area', where, int((~good).sum()))
    kept = np.flatnonzero(good)
    if not len(kept):
        findings.add('tubes dropped', where)
        return None
    # For every frame between the first and last good box, the last good one so far.
    source = np.maximum.accumulate(np.where(good, np.arange(len(good)), 0))
    boxes = boxes[source[kept[0] : kept[-1] + 1]]
    return {
        'label': int(annotation['label']),
        'start': start + int(kept[0]),
        'boxes': boxes,
    }


def convert(
    pyannot: dict[str, dict],
    video_ext: str,
    findings: Findings,
    video_root: Path | None = None,
) -> tuple[list[str], list[dict]]:
    """Classes and videos of the neutral annotation, both sorted.

    Raises:
        ValueError: a label that is not the one of the video's folder.
    """
    classes = sorted({video_id.split('/')[0] for video_id in pyannot})
    videos = []
    for video_id, entry in sorted(pyannot.items()):
        num_frames = int(entry['numf'])
        file = f'{video_id}.{video_ext}'
        if video_root is not None:
            num_frames = _real_length(video_root / file, num_frames, findings)
            if num_frames is None:
                continue
        tubes = []
        for index, annotation in enumerate(entry['annotations']):
            label, folder = int(annotation['label']), video_id.split('/')[0]
            if label != classes.index(folder):
                raise ValueError(
                    f"video '{video_id}', tube {index}: expected label "
                    f"{classes.index(folder)} for '{folder}', got {label}"
                )
            where = f'{video_id}[{index}]'
            tube = convert_tube(annotation, num_frames, where, findings)
            if tube is not None:
                tubes.append(tube)
        video = {'id': video_id, 'file': file, 'width': WIDTH, 'height': HEIGHT}
        videos.append({**video, 'num_frames': num_frames, 'tubes': tubes})
    return classes, videos


def read_testlist(path: Path) -> list[str]:
    """Ids of a UCF list, with or without file extension and label behind."""
    ids = []
    for line in path.read_text().splitlines():
        if line.strip():
            name = PurePosixPath(line.split()[0])
            ids.append(str(name.with_suffix('') if name.suffix else name))
    return ids


def _real_length(path: Path, num_frames: int, findings: Findings) -> int | None:
    """Frames that can be used, or None if the video is not to be used."""
    from decord import DECORDError, VideoReader

    if not path.is_file():
        findings.add('videos missing, dropped', path.name)
        return None
    try:
        reader = VideoReader(str(path), num_threads=1)
        height, width = reader[0].shape[:2]
    except (DECORDError, RuntimeError):
        findings.add('videos that decord refuses, not checked', path.name)
        return num_frames
    if (width, height) != (WIDTH, HEIGHT):
        findings.add('videos of another size, dropped', path.name)
        return None
    if len(reader) != num_frames:
        findings.add('videos of another length than annotated', path.name)
    return min(len(reader), num_frames)


def class_table(videos: list[dict]) -> np.ndarray:
    """Videos, tubes, boxes and frames (of the whole videos) per label, (K, 4) int."""
    labels = [tube['label'] for video in videos for tube in video['tubes']]
    table = np.zeros((max(labels, default=-1) + 1, 4), int)
    for video in videos:
        if video['tubes']:
            boxes = sum(len(tube['boxes']) for tube in video['tubes'])
            row = (1, len(video['tubes']), boxes, video['num_frames'])
            table[video['tubes'][0]['label']] += row
    return table


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert pyannot.pkl of UCF101-24 to the neutral annotation file.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('pickle', type=Path, help='pyannot.pkl')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    parser.add_argument('--video-ext', default='avi', help='extension of the videos')
    parser.add_argument(
        '--video-root',
        type=Path,
        help='folder of the videos: keep those that exist, check their size and length',
    )
    parser.add_argument(
        '--testlist',
        type=Path,
        help='testlist01.txt: write splits/test.txt and splits/train.txt beside --out',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    began = time.perf_counter()
    findings = Findings()
    ext = args.video_ext.lstrip('.')
    pyannot = load_pyannot(args.pickle)
    classes, videos = convert(pyannot, ext, findings, args.video_root)
    if not videos:
        raise SystemExit(f'no video left; does {args.video_root} hold .{ext} files?')
    save_annotations(args.out, classes, videos)
    shown = 'all', videos
    if args.testlist is not None:
        listed = set(read_testlist(args.testlist))
        for video_id in sorted(listed - set(pyannot)):
            findings.add('videos of the test list without annotation', video_id)
        for name in ('train', 'test'):
            part = [v for v in videos if (v['id'] in listed) == (name == 'test')]
            if part:
                path = args.out.parent / 'splits' / f'{name}.txt'
                write_split(path, [video['id'] for video in part])
                print(f'{len(part)} videos -> {path}')
                shown = name, part
    print(f'{shown[0]:18s} videos  tubes   boxes  frames')
    for name, row in zip(classes, class_table(shown[1])):
        if row.any():
            print(f'{name:18s} {row[0]:6d} {row[1]:6d} {row[2]:7d} {row[3]:7d}')
    print('\n'.join(findings.lines()) or 'nothing irregular')
    tubes = sum(len(video['tubes']) for video in videos)
    print(f'{len(videos)} videos, {tubes} tubes -> {args.out}')
    print(f'done in {time.perf_counter() - began:.1f} s')


if __name__ == '__main__':
    main()
