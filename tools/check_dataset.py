"""Check the videos, the annotation and the split lists of a dataset.

    python tools/check_dataset.py data/ucf24/annotations.json \
        --data-prefix data/ucf24/videos --out report.json \
        --split labeled=data/ucf24/splits/20_seed47/labeled.txt \
                unlabeled=data/ucf24/splits/20_seed47/unlabeled.txt \
                test=data/ucf24/splits/test.txt

Every video of the annotation is decoded to its end, in parallel. All problems are
found, not only the first; the report shows some of each kind, the JSON file of --out
all. docs/checking_your_data.md says what the kinds mean and what to do about them.

Exit status: 0 nothing wrong, 1 problems found (other than those of --allow), 2 the
command itself is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.utils import ProgressBar

from check_report import KINDS, print_report
from conversion.findings import class_table
from ssvad.annotation_checks import Problem, annotation_problems, is_inside_folder
from ssvad.annotations import read_unchecked, split_lines
from ssvad.datasets.dataset_check import (
    VideoFacts,
    content_problems,
    counted_from_one,
    inspect_videos,
    split_problems,
    video_problems,
)
from ssvad.files import write_text

COLUMNS = ('videos', 'tubes', 'boxes', 'frames')
NO_TUBES = '(no tubes)'
# Numbers in these entries are sound enough to be counted.
COUNTABLE = ('box-', 'tube-outside', 'duplicate')


def check_dataset(
    ann_file: Path,
    data_prefix: Path,
    splits: Mapping[str, Path],
    workers: int,
) -> dict:
    """Find everything that is wrong with a dataset.

    Args:
        ann_file: Neutral annotation file.
        data_prefix: Folder of the videos.
        splits: Split lists by name.
        workers: Processes that decode.

    Returns:
        ``{'videos': their number, 'problems': [{'kind', 'message', 'video'}], 'hints':
        [text], 'splits': {name: number of ids}, 'classes': {name or 'all': {class:
        {'videos', 'tubes', 'boxes', 'frames'}}}}``.
    """
    problems, lists = [], {}
    for name, path in splits.items():
        try:
            lists[name] = split_lines(path)
        except ValueError as error:
            problems.append(Problem('unreadable-file', str(error)))
    ids = {name: [i for _, i in lines] for name, lines in lists.items()}
    report = {'videos': 0, 'problems': problems, 'hints': [], 'classes': {}}
    report['splits'] = {name: len(members) for name, members in ids.items()}
    try:
        data = read_unchecked(ann_file)
    except ValueError as error:
        problems.append(Problem('unreadable-file', str(error)))
    else:
        _check_content(data, lists, ids, data_prefix, workers, report)
    report['problems'] = [problem._asdict() for problem in problems]
    return report


def _check_content(
    data: dict, lists: dict, ids: dict, folder: Path, workers: int, report: dict
) -> None:
    """Check what could be read; the findings are added to the report."""
    classes, videos = data.get('classes'), data.get('videos')
    broken = list(annotation_problems(classes, videos))
    videos = videos if isinstance(videos, list) else []
    named = [
        (f'video {index} {video["id"]!r}', video)
        for index, video in enumerate(videos)
        if isinstance(video, dict) and isinstance(video.get('id'), str)
    ]
    facts = _inspect([video for _, video in named], folder, workers)
    files = []
    for (where, video), fact in zip(named, facts):
        if fact is not None:
            files += video_problems(video, fact, where)
    digests = {v['id']: fact.digest for (_, v), fact in zip(named, facts) if fact}
    known = [video['id'] for _, video in named]
    report['videos'] = len(videos)
    report['problems'] += [*broken, *files, *content_problems(digests, ids)]
    report['problems'] += split_problems(lists, known)

    # Where the classes are broken, a label may be any number.
    if all(problem.kind != 'bad-classes' for problem in broken):
        uncounted = {p.video for p in broken if not p.kind.startswith(COUNTABLE)}
        sound = [video for _, video in named if video['id'] not in uncounted]
        report['classes'] = class_balance(classes, sound, ids)
        report['hints'] = _hints(known, sound, report['classes'], ids, facts)


def _inspect(
    videos: Sequence[dict], folder: Path, workers: int
) -> list[VideoFacts | None]:
    """Facts of each video; None for a name that leaves the folder, it is not opened."""
    names = [video.get('file') for video in videos]
    paths = [os.path.join(folder, n) if is_inside_folder(n) else None for n in names]
    distinct = set(filter(None, paths))
    if not distinct:
        return [None] * len(paths)
    bar = ProgressBar(len(distinct), file=sys.stderr)
    facts = inspect_videos(filter(None, paths), workers, bar.update)
    sys.stderr.write('\n')
    return [facts.get(path) for path in paths]


def class_balance(
    classes: Sequence[str], videos: Sequence[dict], splits: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, dict[str, int]]]:
    """Videos, tubes, boxes and frames of each class in each list, or in all videos.

    Args:
        classes: Names of the labels.
        videos: Entries of which ids, labels and lengths are sound.
        splits: Ids of each list.
    """
    by_id = {video['id']: video for video in videos}
    lists = {
        name: [by_id[i] for i in set(ids) & set(by_id)] for name, ids in splits.items()
    }
    tables = {}
    for name, members in (lists or {'all': videos}).items():
        rows = class_table(members)
        tables[name] = {
            str(label): dict(zip(COLUMNS, map(int, row)))
            for label, row in zip(classes, rows)
            if row.any()
        }
        idle = [video['num_frames'] for video in members if not video['tubes']]
        if idle:
            row = len(idle), 0, 0, sum(idle)
            tables[name][NO_TUBES] = dict(zip(COLUMNS, row))
    return tables


def _hints(
    known: Sequence[str],
    sound: Sequence[dict],
    balance: Mapping,
    splits: Mapping,
    facts: Sequence[VideoFacts | None],
) -> list[str]:
    hints = []
    opened = list(filter(None, facts))
    if opened and all(fact.kind == 'missing-video' for fact in opened):
        hints.append('no video at all was found: is --data-prefix right?')
    if len(sound) < len(known):
        more = len(known) - len(sound)
        hints.append(f'{more} broken entries are left out of the table of classes')
    hints += filter(None, [counted_from_one(sound)])
    if splits:
        listed = {video_id for ids in splits.values() for video_id in ids}
        idle = [video_id for video_id in known if video_id not in listed]
        if idle:
            hints.append(
                f'{len(idle)} videos stand in no list, the first is {idle[0]!r}'
            )
    labels = dict.fromkeys(label for table in balance.values() for label in table)
    for name, table in balance.items():
        absent = [label for label in labels if label not in {*table, NO_TUBES}]
        if absent:
            hints.append(f'{name} has no video of {", ".join(absent)}')
    return hints


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Check the videos, the annotation and the lists of a dataset.'
    )
    parser.add_argument('annotations', type=Path, help='neutral annotation file')
    parser.add_argument(
        '--data-prefix', type=Path, required=True, help='folder of the videos'
    )
    parser.add_argument(
        '--split',
        nargs='+',
        action='extend',
        default=[],
        metavar='[NAME=]LIST',
        help='split lists that must share no video; called as their file by default. '
        'Only "train" may hold the videos of "labeled" and "unlabeled"',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=os.cpu_count(),
        help='processes that decode (one for each CPU)',
    )
    parser.add_argument('--out', type=Path, help='JSON file for all that was found')
    parser.add_argument(
        '--allow',
        nargs='+',
        action='extend',
        default=[],
        choices=list(KINDS),
        metavar='KIND',
        help='kinds of problems that leave the exit status 0',
    )
    args = parser.parse_args(argv)
    splits: dict[str, Path] = {}
    for text in args.split:
        name, equals, path = text.partition('=')
        path = Path(path if equals else text)
        name = name if equals else path.stem
        if name in splits:
            parser.error(f'two split lists are called {name}; write NAME=LIST')
        splits[name] = path
    args.split = splits
    for path in (args.annotations, *splits.values()):
        if not path.is_file():
            parser.error(f'{path}: no such file')
    if not args.data_prefix.is_dir():
        parser.error(f'{args.data_prefix}: no such folder')
    if args.workers < 1:
        parser.error(f'--workers must be at least 1, got {args.workers}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status."""
    args = parse_args(argv)
    report = check_dataset(args.annotations, args.data_prefix, args.split, args.workers)
    print_report(report, args.allow)
    if args.out is not None:
        write_text(args.out, json.dumps(report, indent=1) + '\n')
        print(f'-> {args.out}')
    count = sum(item['kind'] not in args.allow for item in report['problems'])
    print(f'{count} problems' if count else 'nothing wrong')
    return int(count > 0)


if __name__ == '__main__':
    sys.exit(main())
