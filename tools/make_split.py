"""Split a training list into labelled and unlabelled videos, class by class.

    python tools/make_split.py data/ucf24/annotations.json \
        --train data/ucf24/splits/train.txt --test data/ucf24/splits/test.txt \
        --fraction 0.2 --seed 47 --out-dir data/ucf24/splits/20_seed47

Of the n videos of a class floor(fraction * n) become labelled, as in the published
lists; for one seed a larger fraction contains the smaller one.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ssvad.annotations import (
    load_annotations,
    read_split,
    split_by_class,
    write_split,
)


def make_split(
    annotations: dict,
    train: list[str],
    fraction: float,
    seed: int,
    test: list[str] | None = None,
) -> tuple[list[str], list[str]]:
    """Ids of the labelled and the unlabelled videos of ``train``.

    Raises:
        ValueError: a listed video is not annotated, stands in ``test`` as well, or
            the fraction labels nothing.
    """
    videos = {video['id']: video for video in annotations['videos']}
    unknown = sorted(set(train) - set(videos))
    if unknown:
        raise ValueError(
            f'{len(unknown)} training videos are not in the annotation file, the '
            f"first is '{unknown[0]}'"
        )
    shared = sorted(set(train) & set(test or ()))
    if shared:
        raise ValueError(
            f'{len(shared)} training videos stand in the test list too, the first is '
            f"'{shared[0]}'"
        )
    return split_by_class([videos[video_id] for video_id in train], fraction, seed)


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Split a training list into labelled and unlabelled videos.'
    )
    parser.add_argument('annotations', type=Path, help='neutral annotation file')
    parser.add_argument('--train', type=Path, required=True, help='list to split')
    parser.add_argument('--test', type=Path, help='list that must share no video')
    parser.add_argument('--fraction', type=float, required=True, help='in (0, 1)')
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument(
        '--out-dir', type=Path, required=True, help='gets labeled.txt, unlabeled.txt'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    annotations = load_annotations(args.annotations)
    train = read_split(args.train)
    test = None if args.test is None else read_split(args.test)
    labeled, unlabeled = make_split(annotations, train, args.fraction, args.seed, test)
    comment = f'fraction {args.fraction}, seed {args.seed}, per class, rounded down'
    for name, ids in (('labeled', labeled), ('unlabeled', unlabeled)):
        path = args.out_dir / f'{name}.txt'
        write_split(path, ids, comment)
        print(f'{len(ids)} videos -> {path}')
    label_of = {
        video['id']: video['tubes'][0]['label']
        for video in annotations['videos']
        if video['tubes']
    }
    counts = Counter(label_of[video_id] for video_id in labeled)
    present = {label_of[video_id] for video_id in train if video_id in label_of}
    empty = [annotations['classes'][c] for c in sorted(present - set(counts))]
    if empty:
        print(f'warning: no labelled video of {", ".join(empty)}')


if __name__ == '__main__':
    main()
