"""Divide a folder of videos, some of them annotated, into three lists.

    python tools/split_folder.py data/mine/annotations.json data/mine/videos \
        --test-fraction 0.3 --seed 47 --out-dir data/mine/splits

* ``test.txt``: annotated videos to evaluate on, floor(fraction * n) of a class's n;
* ``labeled.txt``: the other annotated videos, to learn from;
* ``unlabeled.txt``: all other videos of the folder and the folders below, which need no
  annotation; a video without tubes in the annotation file counts as one of them.

The lists are text, one video a line, to be changed as you like: videos that were cut
from one recording should stand in the same list.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from conversion.videos import video_id
from ssvad.annotations import load_annotations, split_by_class, write_split
from ssvad.datasets.video_folder import VIDEO_SUFFIXES, find_videos


def split_folder(
    annotations: Mapping,
    videos: Sequence[str],
    test_fraction: float,
    seed: int,
) -> dict[str, list[str]]:
    """Ids of the videos of each list.

    Args:
        annotations: As of :func:`ssvad.annotations.load_annotations`.
        videos: Ids of all videos, :func:`ssvad.datasets.video_folder.find_videos`.
        test_fraction: Share of the annotated videos of each class, in (0, 1).
        seed: Of the draw.

    Raises:
        ValueError: An annotated video is not in the folder, no video is annotated, or
            the fraction is out of range or takes nothing.
    """
    annotated = [video for video in annotations['videos'] if video['tubes']]
    if not annotated:
        raise ValueError('no video of the annotation file has a tube')
    known = {video_id(video['file']) for video in annotated}
    missing = sorted(known - set(videos))
    if missing:
        raise ValueError(
            f'{len(missing)} of {len(annotated)} annotated videos are not in the '
            f"folder, the first is '{missing[0]}'; looked for "
            f'{", ".join(VIDEO_SUFFIXES)} and folders of frames'
        )
    try:
        test, labeled = split_by_class(annotated, test_fraction, seed)
    except ValueError as error:
        raise ValueError(f'no videos to test on: {error}') from error
    return {
        'labeled': labeled,
        'test': test,
        'unlabeled': [name for name in videos if name not in known],
    }


def per_class(annotations: Mapping, ids: Sequence[str]) -> str:
    """How many videos of each class there are, as text: "jump 3, run 0"."""
    first = {
        v['id']: v['tubes'][0]['label'] for v in annotations['videos'] if v['tubes']
    }
    labels = [first[name] for name in ids]
    classes = enumerate(annotations['classes'])
    return ', '.join(f'{name} {labels.count(label)}' for label, name in classes)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Divide a folder of videos, some of them annotated, into lists.'
    )
    parser.add_argument('annotations', type=Path, help='neutral annotation file')
    parser.add_argument('folder', help='folder of all videos')
    parser.add_argument(
        '--test-fraction', type=float, required=True, help='of each class, in (0, 1)'
    )
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument(
        '--out-dir', type=Path, required=True, help='folder of the three lists'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    try:
        annotations = load_annotations(args.annotations)
        videos = list(find_videos(args.folder))
        lists = split_folder(annotations, videos, args.test_fraction, args.seed)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    if not lists['unlabeled']:
        raise SystemExit(
            f'every video of {args.folder} is annotated; put the others there too, or '
            'divide a training list with tools/make_split.py'
        )
    comment = (
        f'{args.folder}, seed {args.seed}, {args.test_fraction} of a class to test'
    )
    for name, ids in lists.items():
        path = args.out_dir / f'{name}.txt'
        write_split(path, ids, comment)
        counts = '' if name == 'unlabeled' else f': {per_class(annotations, ids)}'
        print(f'{len(ids)} videos -> {path}{counts}')


if __name__ == '__main__':
    main()
