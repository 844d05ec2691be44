"""Split a training list into labelled and unlabelled videos, class by class.

    python tools/make_split.py data/ucf24/annotations.json \
        --train data/ucf24/splits/train.txt --test data/ucf24/splits/test.txt \
        --fraction 0.2 --seed 47 --out-dir data/ucf24/splits/20_seed47

Of the n videos of a class floor(fraction * n) become labelled, as in the published
lists; with --count N in its place, N videos of every class. For one seed a larger share
contains the smaller one, of either kind.

The unlabelled list is all the rest, or with --unlabeled-times N (paper Fig. 5: 1 to 4)
N times as many videos of each class as are labelled; for one share and seed a larger N
contains the smaller one. Videos without annotation have no class and are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from conversion.command import run
from ssvad.annotations import (
    draw_by_class,
    ids_by_class,
    load_annotations,
    read_split,
    split_by_class,
    write_split,
)


def make_split(
    annotations: dict,
    train: list[str],
    fraction: float | None,
    seed: int,
    test: list[str] | None = None,
    count: int | None = None,
) -> tuple[list[str], list[str]]:
    """Ids of the labelled and the unlabelled videos of ``train``.

    Args:
        annotations: As :func:`load_annotations` returns them.
        train: Ids to divide.
        fraction: Share of every class to label, rounded down; None if ``count`` says
            how many videos of every class.
        seed: Any integer.
        test: Ids that ``train`` must not contain.
        count: Videos of every class to label.

    Raises:
        ValueError: a listed video is not annotated, stands in ``test`` as well, or
            the share labels nothing, more than there is, or everything.
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
            f"'{shared[0]}'; take them out of one of the lists"
        )
    chosen = [videos[video_id] for video_id in train]
    if count is None:
        return split_by_class(chosen, fraction, seed)
    return _split_by_count(annotations['classes'], chosen, count, seed)


def _split_by_count(
    classes: Sequence[str], videos: Sequence[dict], count: int, seed: int
) -> tuple[list[str], list[str]]:
    sizes = {label: len(ids) for label, ids in ids_by_class(videos).items()}
    small = {classes[label]: n for label, n in sorted(sizes.items()) if n < count}
    if count < 1 or small or not sizes:
        raise ValueError(
            f'count must be at least 1 and at most the videos of a class, got {count}; '
            f'classes with fewer: {small or "none"}'
        )
    labeled, unlabeled = draw_by_class(videos, dict.fromkeys(sizes, count), seed)
    if not unlabeled:
        raise ValueError(
            f'count {count} labels all {len(labeled)} videos, none is left unlabelled; '
            'take a smaller one'
        )
    return labeled, unlabeled


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
    videos = {video['id']: video for video in annotations['videos']}
    given = ids_by_class(videos[video_id] for video_id in labeled)
    rest = [videos[video_id] for video_id in unlabeled]
    available = ids_by_class(rest)
    counts = {label: times * len(ids) for label, ids in sorted(given.items())}
    for label, count in counts.items():
        others = len(available.get(label, []))
        if count > others:
            raise ValueError(
                f"class '{annotations['classes'][label]}' has {len(given[label])} "
                f'labelled videos and {others} others, {times} times would be {count}; '
                'take a smaller number'
            )
    # the order in which labelled videos are drawn goes on
    return draw_by_class(rest, counts, seed)[0]


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Split a training list into labelled and unlabelled videos.'
    )
    parser.add_argument('annotations', type=Path, help='neutral annotation file')
    parser.add_argument('--train', type=Path, required=True, help='list to split')
    parser.add_argument('--test', type=Path, help='list that must share no video')
    share = parser.add_mutually_exclusive_group(required=True)
    share.add_argument('--fraction', type=float, help='of every class, in (0, 1)')
    share.add_argument('--count', type=int, help='labelled videos of every class')
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
    labeled, unlabeled = make_split(
        annotations, train, args.fraction, args.seed, test, args.count
    )
    share = f'fraction {args.fraction}', 'per class, rounded down'
    if args.count is not None:
        share = f'{args.count} videos', 'per class'
    comment = f'{share[0]}, seed {args.seed}, {share[1]}'
    if args.unlabeled_times is not None:
        times = args.unlabeled_times
        unlabeled = limit_unlabeled(annotations, labeled, unlabeled, times, args.seed)
        comment += f', {times} unlabelled for each labelled'
    for name, ids in (('labeled', labeled), ('unlabeled', unlabeled)):
        path = args.out_dir / f'{name}.txt'
        write_split(path, ids, comment)
        print(f'{len(ids)} videos -> {path}')
    videos = {video['id']: video for video in annotations['videos']}
    known, found = (ids_by_class(videos[i] for i in ids) for ids in (train, labeled))
    empty = [annotations['classes'][label] for label in sorted(set(known) - set(found))]
    if empty:
        print(f'warning: no labelled video of {", ".join(empty)}')


if __name__ == '__main__':
    run(main)
