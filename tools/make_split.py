"""Split a training list into labelled and unlabelled videos, class by class.

    python tools/make_split.py data/ucf24/annotations.json \
        --train data/ucf24/splits/train.txt --test data/ucf24/splits/test.txt \
        --fraction 0.2 --seed 47 --out-dir data/ucf24/splits/20_seed47

Of the n videos of a class floor(fraction * n) become labelled, as in the published
lists; for one seed a larger fraction contains the smaller one.

The unlabelled list is all the rest, or with --unlabeled-times N (paper Fig. 5: 1 to 4)
N times as many videos of each class as are labelled; for one fraction and seed a larger
N contains the smaller one. Videos without annotation have no class and are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
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


def by_class(annotations: dict, ids: Sequence[str]) -> dict[int, list[dict]]:
    """The videos of ``ids`` by the label of their first tube, if they have one."""
    wanted = set(ids)
    videos: dict[int, list[dict]] = {}
    for video in annotations['videos']:
        if video['id'] in wanted and video['tubes']:
            videos.setdefault(video['tubes'][0]['label'], []).append(video)
    return videos


def limit_unlabeled(
    annotations: dict,
    labeled: Sequence[str],
    unlabeled: Sequence[str],
    times: int,
    seed: int,
) -> list[str]:
    """Draw ``times`` as many unlabelled as labelled videos, class by class.

    Raises:
        ValueError: ``times`` is no positive number, or a class has too few videos.
    """
    if times < 1:
        raise ValueError(f'expected at least 1 times the labelled videos, got {times}')
    rest = by_class(annotations, unlabeled)
    chosen = []
    for label, videos in sorted(by_class(annotations, labeled).items()):
        count, available = times * len(videos), rest.get(label, [])
        if count > len(available):
            raise ValueError(
                f"class '{annotations['classes'][label]}' has {len(videos)} labelled "
                f'videos and {len(available)} others, {times} times would be {count}; '
                'take a smaller number'
            )
        if count == len(available):
            chosen += [video['id'] for video in available]
        else:  # the order in which labelled videos are drawn goes on
            share = Fraction(count, len(available))
            chosen += split_by_class(available, share, seed)[0]
    return sorted(chosen)


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
        '--unlabeled-times',
        type=int,
        metavar='N',
        help='unlabelled videos per labelled one, class by class (all the rest)',
    )
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
    if args.unlabeled_times is not None:
        times = args.unlabeled_times
        unlabeled = limit_unlabeled(annotations, labeled, unlabeled, times, args.seed)
        comment += f', {times} unlabelled for each labelled'
    for name, ids in (('labeled', labeled), ('unlabeled', unlabeled)):
        path = args.out_dir / f'{name}.txt'
        write_split(path, ids, comment)
        print(f'{len(ids)} videos -> {path}')
    unlucky = set(by_class(annotations, train)) - set(by_class(annotations, labeled))
    empty = [annotations['classes'][label] for label in sorted(unlucky)]
    if empty:
        print(f'warning: no labelled video of {", ".join(empty)}')


if __name__ == '__main__':
    main()
