"""Convert JHMDB-21 to the neutral annotation file, with its puppet masks.

    python tools/convert_jhmdb21.py data/jhmdb21

The folder holds the unpacked archives of the dataset's site:

* ``puppet_mask/<class>/<video>/puppet_mask.mat``, with ``part_mask`` (h, w, frames);
* ``splits/<class>_test_split1.txt``, a line ``<video>.avi 1`` for each training video,
  2 for testing, 0 for neither;
* ``ReCompress_Videos/<class>/<video>.avi``; without this folder nothing is checked
  against the videos.

It gets ``annotations.json``, ``masks/<class>/<video>.npz`` and ``splits/train.txt``,
``splits/test.txt`` (split 1, as in the paper). Mask k belongs to frame k, a pixel to
the actor where ``part_mask`` is above 0, and a box is the tight one around a mask.

What does not fit is counted, named and resolved so: a video that goes on behind its
last mask ends there, because such a frame is not annotated rather than empty; masks
behind the end of the video are cut off. A frame with an empty mask ends the tube and
the next mask begins another: nothing is interpolated, boxes say what masks say. Videos
without any mask, missing ones and those of another size than their masks are dropped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from conversion.command import run
from conversion.findings import Findings
from conversion.mat_file import load_variable
from conversion.videos import usable_length
from ssvad.annotations import save_annotations, save_masks, write_split
from ssvad.files import read_text

VIDEOS = 'ReCompress_Videos'
# Of the masks of one video, unpacked.
MAX_BYTES = 1 << 28
FLAGS = {'0': None, '1': 'train', '2': 'test'}
PUBLISHED = {
    'classes': 21,
    'videos': 928,
    'train': 660,
    'test': 268,
    '20 % of train': 122,
    '30 % of train': 189,
}


def read_split_file(path: Path) -> dict[str, str | None]:
    """Part of the dataset of each video of a class.

    Returns:
        Name without extension -> 'train', 'test' or None.

    Raises:
        ValueError: a line of another form, or one video twice.
    """
    parts = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        *names, flag = line.strip().rsplit(maxsplit=1)
        name = ''.join(names).removesuffix('.avi')
        if not name or flag not in FLAGS or name in parts:
            raise ValueError(
                f"{path}: line {number}: expected '<video>.avi' and 0, 1 or 2, each "
                f'video once, got {line!r}'
            )
        parts[name] = FLAGS[flag]
    return parts


def load_part_mask(path: Path) -> np.ndarray:
    """Read the matrix of a puppet_mask.mat, (h, w, frames) of any kind of number.

    Raises:
        ValueError: damaged, without such a matrix, or of more than ``MAX_BYTES``.
    """
    # MATLAB does not keep the last axis of a single frame.
    part_mask = np.atleast_3d(load_variable(path, 'part_mask', MAX_BYTES))
    if part_mask.ndim != 3 or not part_mask.size or part_mask.dtype.kind not in 'biuf':
        raise ValueError(
            f'{path}: expected part_mask (h, w, frames) of numbers, got '
            f'{part_mask.shape} {part_mask.dtype}'
        )
    return part_mask


def tubes_around(masks: np.ndarray, label: int) -> list[dict]:
    """Tight boxes, one tube for each stretch of frames with a mask.

    Args:
        masks: (F, h, w) bool.
        label: Class index.
    """
    height, width = masks.shape[1:]
    edges = np.diff(masks.any((1, 2)), prepend=False, append=False).nonzero()[0]
    tubes = []
    for start, stop in edges.reshape(-1, 2):
        rows, columns = masks[start:stop].any(2), masks[start:stop].any(1)
        left, top = columns.argmax(1), rows.argmax(1)
        right = width - columns[:, ::-1].argmax(1)
        bottom = height - rows[:, ::-1].argmax(1)
        boxes = np.stack([left, top, right, bottom], axis=1)
        tubes.append({'label': label, 'start': int(start), 'boxes': boxes})
    return tubes


def convert_video(
    root: Path, video_id: str, label: int, findings: Findings
) -> tuple[dict, np.ndarray] | None:
    """Entry of one video in the annotation file, and its masks (F, h, w) bool.

    Returns:
        None if the video is not to be used.
    """
    raw = load_part_mask(root / 'puppet_mask' / video_id / 'puppet_mask.mat')
    masks = np.moveaxis(raw, 2, 0) > 0
    if (masks != np.moveaxis(raw, 2, 0)).any():
        findings.add('videos with other values than 0 and 1 in a mask', video_id)
    _, height, width = masks.shape
    if (root / VIDEOS).is_dir():
        file, size = f'{video_id}.avi', (width, height)
        length = usable_length(root / VIDEOS, file, size, None, findings)
        if length is None:
            return None
        behind = max(length - len(masks), 0)
        findings.add('frames behind the last mask, left out', video_id, behind)
        behind = max(len(masks) - length, 0)
        findings.add('masks behind the last frame, left out', video_id, behind)
        masks = masks[:length]
    tubes = tubes_around(masks, label)
    if not tubes:
        findings.add('videos without any mask, dropped', video_id)
        return None
    empty = len(masks) - sum(len(tube['boxes']) for tube in tubes)
    findings.add('frames with an empty mask', video_id, empty)
    findings.add('tubes split at empty masks', video_id, len(tubes) - 1)
    video = {'id': video_id, 'file': f'{video_id}.avi', 'masks': f'{video_id}.npz'}
    video.update(width=width, height=height, num_frames=len(masks), tubes=tubes)
    return video, masks


def count(classes: list[str], videos: list[dict], parts: dict) -> dict[str, int]:
    """The numbers of :data:`PUBLISHED` for what was converted."""
    train = np.zeros(len(classes), int)
    for video in videos:
        train[video['tubes'][0]['label']] += parts.get(video['id']) == 'train'
    return {
        'classes': len(classes),
        'videos': len(videos),
        'train': int(train.sum()),
        'test': sum(parts.get(video['id']) == 'test' for video in videos),
        # as tools/make_split.py takes them: rounded down in each class
        '20 % of train': int((train * 20 // 100).sum()),
        '30 % of train': int((train * 30 // 100).sum()),
    }


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert JHMDB-21 to the neutral annotation file and mask files.'
    )
    parser.add_argument(
        'root', type=Path, help=f'folder with puppet_mask/, splits/ and {VIDEOS}/'
    )
    parser.add_argument(
        '--out-dir', type=Path, help='where to write, if not into the same folder'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    root, out = args.root, args.out_dir or args.root
    began = time.perf_counter()
    findings = Findings()
    folders = root.glob('puppet_mask/[!.]*/[!.]*/puppet_mask.mat')
    found = sorted((path.parts[-3], path.parts[-2]) for path in folders)
    classes = sorted({name for name, _ in found})
    if not classes:
        raise SystemExit(f'no puppet_mask/<class>/<video>/puppet_mask.mat in {root}')
    if not (root / VIDEOS).is_dir():
        print(f'warning: {root / VIDEOS} is missing, lengths and sizes are not checked')
    videos, parts = [], {}
    print(f'{"class":16s} videos  train   test  frames', flush=True)
    for label, name in enumerate(classes):
        listed = read_split_file(root / 'splits' / f'{name}_test_split1.txt')
        parts.update({f'{name}/{video}': part for video, part in listed.items()})
        ids = [f'{name}/{video}' for folder, video in found if folder == name]
        row = np.zeros(4, int)
        for video_id in ids:
            if video_id not in parts:
                findings.add('videos that the split file does not name', video_id)
            converted = convert_video(root, video_id, label, findings)
            if converted is not None:
                video, masks = converted
                save_masks(out / 'masks' / video['masks'], masks)
                videos.append(video)
                part = parts.get(video_id)
                row += (1, part == 'train', part == 'test', len(masks))
        for video_id in sorted({f'{name}/{video}' for video in listed} - set(ids)):
            findings.add('videos of the split file without a mask file', video_id)
        print('{:16s} {:6d} {:6d} {:6d} {:7d}'.format(name, *row), flush=True)
    if not videos:
        raise SystemExit('no video left:\n' + '\n'.join(findings.lines()))
    for part in ('train', 'test'):
        ids = [video['id'] for video in videos if parts.get(video['id']) == part]
        if ids:
            write_split(out / 'splits' / f'{part}.txt', ids)
    save_annotations(out / 'annotations.json', classes, videos)
    print('\n'.join(findings.lines()) or 'nothing irregular')
    for key, number in count(classes, videos, parts).items():
        expected = PUBLISHED[key]
        verdict = 'as published' if number == expected else f'WARNING: not {expected}'
        print(f'{key}: {number}, {verdict}')
    print(f'-> {out / "annotations.json"}, {out / "masks"}, {out / "splits"}')
    print(f'done in {time.perf_counter() - began:.1f} s')


if __name__ == '__main__':
    run(main)
