"""Finding everything that is wrong with the videos and split lists of a dataset.

The rules of the annotation file itself are in ``ssvad.annotation_checks``.
"""

from __future__ import annotations

import hashlib
import os
import os.path as osp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import combinations
from typing import Callable, NamedTuple
from unicodedata import normalize

import numpy as np

from ssvad.annotation_checks import Problem

from .frame_reader import iter_frames

# A list of all training videos holds the labelled and the unlabelled ones.
PARTS = {'train': ('labeled', 'unlabeled')}


class VideoFacts(NamedTuple):
    """What decoding a whole video told.

    ``num_frames`` pictures of ``width`` x ``height`` came; ``kind`` and ``reason`` say
    what went wrong, empty if nothing did. Equal ``digest``: equal bytes; empty if there
    was nothing to read.
    """

    num_frames: int = 0
    width: int = 0
    height: int = 0
    digest: str = ''
    kind: str = ''
    reason: str = ''


def inspect_video(filename: str) -> VideoFacts:
    """Decode a video, from a file or a folder of pictures, to its end."""
    if not osp.exists(filename):
        return VideoFacts(kind='missing-video', reason=f'{filename}: no such file')
    count, size, digest, kind, reason = 0, (0, 0), '', '', ''
    try:
        digest = content_digest(filename)
        for count, picture in enumerate(iter_frames(filename), 1):
            size = size if count > 1 else picture.shape[:2]
    # A decoder may raise nearly anything.
    except Exception as error:
        kind, reason = 'unreadable-video', str(error) or repr(error)
    height, width = size
    return VideoFacts(count, width, height, digest, kind, reason)


def content_digest(filename: str) -> str:
    """Digest of the bytes of a file, or of all files of a folder in their order."""
    files = [filename]
    if osp.isdir(filename):
        with os.scandir(filename) as entries:
            files = sorted(entry.path for entry in entries if entry.is_file())
    digest = hashlib.blake2b(digest_size=16)
    for name in files:
        with open(name, 'rb') as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def inspect_videos(
    filenames: Iterable[str], workers: int, advance: Callable[[], None]
) -> dict[str, VideoFacts]:
    """Inspect videos in several processes.

    A video that brings its process down (a crash of the decoder, the memory) is a
    finding as any other.

    Args:
        filenames: Videos; each is inspected once.
        workers: Number of processes.
        advance: Called after each video.
    """
    names = list(dict.fromkeys(filenames))
    facts = {}
    with ProcessPoolExecutor(workers) as pool:
        futures = {pool.submit(inspect_video, name): name for name in names}
        for future in as_completed(futures):
            try:
                facts[futures[future]] = future.result()
                advance()
            except BrokenProcessPool:
                pass
    # One crash ends the whole pool: the rest is done one by one to find the culprit.
    for name in names:
        if name not in facts:
            with ProcessPoolExecutor(1) as pool:
                try:
                    facts[name] = pool.submit(inspect_video, name).result()
                except BrokenProcessPool:
                    reason = f'{name}: the process that decoded it was killed'
                    facts[name] = VideoFacts(kind='unreadable-video', reason=reason)
            advance()
    return facts


def video_problems(video: dict, facts: VideoFacts, where: str) -> Iterator[Problem]:
    """Compare an annotated video with its file.

    Args:
        video: Entry of the annotation; numbers that are no numbers are not compared.
        facts: What its file holds.
        where: Names the video in messages.
    """
    found = facts.num_frames
    annotated = video.get('num_frames')
    if facts.kind:
        yield Problem(facts.kind, f'{where}: {facts.reason}', video.get('id'))
    elif isinstance(annotated, int) and annotated != found:
        kind = 'shorter' if found < annotated else 'longer'
        yield Problem(
            f'{kind}-than-annotated',
            f'{where}: annotated with num_frames {annotated}, the file has {found}; is '
            'it another version of the video, or cut?',
            video.get('id'),
        )
    size = tuple(video.get(key) for key in ('width', 'height'))
    seen = facts.width, facts.height
    if found and all(isinstance(n, int) for n in size) and size != seen:
        yield Problem(
            'other-size',
            f'{where}: annotated as {size[0]} x {size[1]}, the pictures have '
            f'{seen[0]} x {seen[1]}; boxes would lie elsewhere',
            video.get('id'),
        )


def content_problems(
    digests: Mapping[str, str], splits: Mapping[str, Iterable[str]]
) -> Iterator[Problem]:
    """Find videos that are the same file under two ids.

    Args:
        digests: Digest of each video by id.
        splits: Ids of each split list.
    """
    ids_of: dict[str, list[str]] = {}
    for video_id, digest in digests.items():
        if digest:
            ids_of.setdefault(digest, []).append(video_id)
    lists_of: dict[str, list[str]] = {}
    for name, ids in splits.items():
        for video_id in set(ids):
            lists_of.setdefault(video_id, []).append(name)
    for ids in ids_of.values():
        if len(ids) < 2:
            continue
        lists = {name for video_id in ids for name in lists_of.get(video_id, ())}
        leak = any(_disjoint(*pair) for pair in combinations(sorted(lists), 2))
        named = [
            repr(i) + (f' ({", ".join(lists_of[i])})' if i in lists_of else '')
            for i in ids
        ]
        yield Problem(
            'same-content-across-splits' if leak else 'same-content',
            f'{" and ".join(named)} are the same video, byte by byte',
            ids[0],
        )


def split_problems(
    splits: Mapping[str, Sequence[tuple[int, str]]], known: Iterable[str]
) -> Iterator[Problem]:
    """Find what is wrong with split lists: each by itself, and one beside another.

    Args:
        splits: Line numbers and ids of each list, by its name.
        known: Ids of the annotated videos.
    """
    known = set(known)
    plain = {normalize('NFC', video_id) for video_id in known}
    for name, lines in splits.items():
        if not lines:
            yield Problem('empty-split', f'{name}: holds no id')
        seen: dict[str, int] = {}
        for number, video_id in lines:
            where = f'{name}: line {number}: {video_id!r}'
            if video_id in seen:
                message = f'{where} stands on line {seen[video_id]} already'
                yield Problem('twice-in-split', message, video_id)
            elif video_id not in known:
                message = f'{where} is not annotated'
                if normalize('NFC', video_id) in plain:
                    message += ' in this Unicode form, but in another'
                yield Problem('unknown-in-split', message, video_id)
            seen.setdefault(video_id, number)
    for (first, lines), (second, others) in combinations(splits.items(), 2):
        if _disjoint(first, second):
            others = {video_id for _, video_id in others}
            for video_id in dict.fromkeys(i for _, i in lines if i in others):
                message = f'{video_id!r} stands in {first} and in {second}'
                yield Problem('overlap', message, video_id)


def counted_from_one(videos: Iterable[dict]) -> str:
    """Say so if all boxes together look as if counted from 1, else nothing."""
    edges = []
    for video in videos:
        for tube in video['tubes']:
            boxes = np.array(tube['boxes'], float)
            boxes = boxes[np.isfinite(boxes).all(1)]
            edges.append((boxes, (video['width'], video['height'])))
    lowest = min((b[:, :2].min(initial=np.inf) for b, _ in edges), default=0)
    if lowest != 1:
        return ''
    ones = sum(int((boxes[:, :2] == 1).any(1).sum()) for boxes, _ in edges)
    ends = sum(int((boxes[:, 2:] >= size).any(1).sum()) for boxes, size in edges)
    if not ends:
        return ''
    return (
        f'no box begins at 0, {ones} begin at 1 and {ends} reach the right or bottom '
        'edge: are they counted from 1? Then x1 and y1 are 1 too large'
    )


def _disjoint(first: str, second: str) -> bool:
    """Whether two lists of these names must share no video."""
    pair = (first, second), (second, first)
    return not any(part in PARTS.get(whole, ()) for whole, part in pair)
