"""Decode videos once into files that training reads by memory map.

    python tools/cache_frames.py data/ucf24/annotations.json \
        --data-prefix data/ucf24/videos --out data/ucf24/frames

Then put dict(type='OpenFrameCache', cache_dir='data/ucf24/frames') in the place of
dict(type='OpenVideo') in the pipelines; the frames are the same bit by bit.

A frame costs width * height * 3 bytes, 230 400 at 320 x 240: UCF101-24 with its 3194
videos and 555 157 frames takes 128 GB, the training part of split 1 takes 91 GB (its
video files take a few GB). The size is printed before anything is written. It pays
where the disk is fast (one clip of 8 frames reads 1.8 MB from 8 places) or the memory
holds a good part of it; --split caches a part.

Frames keep their size: boxes and masks are in pixels of the source video, and a cache
of smaller frames would be another data set than the one that is annotated. To work on
smaller frames, convert videos and annotation, or resize in the pipeline.

The tool can be stopped and started again: whole videos are kept, those whose file was
changed since (size or date) are decoded anew. Videos that cannot be decoded are
counted, named and noted in the cache; training then treats them as OpenVideo does.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from ssvad.annotations import load_annotations, read_split
from ssvad.datasets.frame_cache import FrameCacheError, read_cache, write_cache
from ssvad.datasets.frame_reader import VideoReadError


def select(videos: Sequence[dict], split: Path | None) -> list[dict]:
    """The videos of a split list, or all.

    Raises:
        ValueError: a listed video is not annotated.
    """
    if split is None:
        return list(videos)
    by_id = {video['id']: video for video in videos}
    ids = read_split(split)
    unknown = [video_id for video_id in ids if video_id not in by_id]
    if unknown:
        raise ValueError(
            f'{split}: {len(unknown)} of {len(ids)} ids are not annotated, the first '
            f'is {unknown[0]!r}'
        )
    return [by_id[video_id] for video_id in ids]


def num_bytes(videos: Sequence[dict]) -> int:
    """Bytes that the frames of videos take, decoded."""
    return sum(3 * v['width'] * v['height'] * v['num_frames'] for v in videos)


def is_cached(out: Path, folder: Path, video: dict) -> bool:
    """Whether the frames of a video are there, whole and up to date."""
    filename = str(folder / video['file'])
    try:
        read_cache(out, video['id'], filename, video['num_frames'])
    except (FrameCacheError, VideoReadError):
        return False
    return True


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Decode videos once into files that training reads by memory map.'
    )
    parser.add_argument('annotations', type=Path, help='neutral annotation file')
    parser.add_argument(
        '--data-prefix', type=Path, required=True, help='folder of the videos'
    )
    parser.add_argument('--out', type=Path, required=True, help='folder of the cache')
    parser.add_argument(
        '--split', type=Path, help='list of the videos to cache (all annotated ones)'
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    began = time.perf_counter()
    videos = select(load_annotations(args.annotations)['videos'], args.split)
    missing = [v for v in videos if not is_cached(args.out, args.data_prefix, v)]
    args.out.mkdir(parents=True, exist_ok=True)
    needed, free = num_bytes(missing), shutil.disk_usage(args.out).free
    print(
        f'{len(videos)} videos, {sum(v["num_frames"] for v in videos)} frames: '
        f'{num_bytes(videos) / 1e9:.2f} GB; {len(videos) - len(missing)} videos are '
        f'there, {needed / 1e9:.2f} GB to write, {free / 1e9:.2f} GB free'
    )
    if needed > free:
        raise SystemExit('not enough space; cache a part with --split')
    unreadable = []
    for number, video in enumerate(missing, 1):
        filename = str(args.data_prefix / video['file'])
        try:
            write_cache(args.out, video['id'], filename, video['num_frames'])
        except VideoReadError as error:
            unreadable.append(str(error))
        if number % 100 == 0:
            print(f'{number} of {len(missing)} videos', flush=True)
    print(
        f'{len(missing) - len(unreadable)} videos written to {args.out} in '
        f'{time.perf_counter() - began:.1f} s, {len(unreadable)} unreadable'
    )
    print('\n'.join(unreadable), end='\n' if unreadable else '')


if __name__ == '__main__':
    main()
