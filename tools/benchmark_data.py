"""How long one training sample takes to load: plain, as configured, from a cache.

    python tools/benchmark_data.py                      # videos made for the purpose
    python tools/benchmark_data.py --ann-file data/ucf24/annotations.json \
        --data-prefix data/ucf24/videos

The plain formulation does what the released loaders do for a sample: decode the whole
video, draw the masks of all frames, draw them once more from interpolated boxes (and
use them for nothing), cut 8 frames, scale them to [0, 1] in float64, flip a copy. It
decodes with the same library on one thread, so that only the amount of work differs.

All variants take turns on every video; what is printed are medians and their ratios.
Everything is read from memory after the first turn: a disk can only make it slower.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Callable

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader, RandomSampler

from ssvad.annotations import save_annotations
from ssvad.datasets import TubeDataset
from ssvad.datasets.frame_cache import write_cache
from ssvad.datasets.frame_reader import iter_frames
from ssvad.video_io import write_video

CONFIG = Path(__file__).parents[1] / 'configs/_base_/datasets/ucf24_flip_pair.py'
HEIGHT, WIDTH = 240, 320


def plain_sample(
    filename: str, boxes: np.ndarray, rng: np.random.Generator, size: int = 224
) -> dict[str, np.ndarray]:
    """Load one training sample the plain way.

    Args:
        filename: Path of the video.
        boxes: ``(n, F, 4)`` xyxy in pixels, NaN where a tube is absent.
        rng: Draws clip and crop.
        size: Rows and columns of the crop.

    Returns:
        ``clip`` and ``flipped`` ``(3, 8, size, size)`` float64 in [0, 1], ``mask``
        ``(8, size, size)`` float64.
    """
    video = np.stack(list(islice(iter_frames(filename), boxes.shape[1])))
    masks = _draw(boxes, video.shape)
    _draw(_interpolate(boxes), video.shape)  # the released loaders never use it
    present = np.isfinite(boxes).all(-1).any(0)
    centre, frames = rng.choice(np.flatnonzero(present)), np.arange(8)
    last = len(video) - 1
    indices = np.clip(centre - 8 + 2 * frames, 0, last)
    y = rng.integers(0, video.shape[1] - size + 1)
    x = rng.integers(0, video.shape[2] - size + 1)
    clip = video[indices, y : y + size, x : x + size] / 255.0
    clip = np.transpose(clip, (3, 0, 1, 2))
    mask = masks[indices, y : y + size, x : x + size].astype(np.float64)
    return dict(clip=clip, flipped=clip[..., ::-1].copy(), mask=mask)


def _draw(boxes: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    masks = np.zeros(shape[:3], np.uint8)
    for tube in boxes:
        for frame, box in enumerate(tube):
            if np.isfinite(box).all():
                x1, y1, x2, y2 = np.maximum(box, 0).astype(int)
                masks[frame, y1:y2, x1:x2] = 1
    return masks


def _interpolate(boxes: np.ndarray) -> np.ndarray:
    result = boxes.copy()
    for tube in result:
        known = np.flatnonzero(np.isfinite(tube).all(-1))
        between = np.arange(known[0], known[-1] + 1)
        for side in range(4):
            tube[between, side] = np.interp(between, known, tube[known, side])
    return result


def build_datasets(
    ann_file: str, video_dir: str, cache_dir: str, num_videos: int = 20
) -> dict[str, TubeDataset]:
    """The labelled half of ``configs/_base_/datasets/ucf24_flip_pair.py``, two views.

    Args:
        ann_file: Neutral annotation file.
        video_dir: Folder of its videos.
        cache_dir: Folder of a cache, which is filled here.
        num_videos: Videos to take, the first ones.

    Returns:
        'decoded', which reads the video files, and 'cached', which reads the cache.
    """
    pipeline = Config.fromfile(CONFIG).labeled_pipeline
    from_cache = dict(type='OpenFrameCache', cache_dir=cache_dir)
    pipelines = dict(
        decoded=pipeline,
        cached=[from_cache if t['type'] == 'OpenVideo' else t for t in pipeline],
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        datasets = {
            name: TubeDataset(
                ann_file,
                pipeline=pipeline,
                data_prefix=dict(video=video_dir),
                filter_cfg=dict(filter_empty_gt=True),
                indices=num_videos,
            )
            for name, pipeline in pipelines.items()
        }
    for info in map(datasets['decoded'].get_data_info, range(len(datasets['decoded']))):
        write_cache(cache_dir, info['video_id'], info['filename'], info['total_frames'])
    return datasets


def loading_variants(
    datasets: Mapping[str, TubeDataset],
) -> dict[str, Callable[[int], object]]:
    """Functions 'plain', 'decoded', 'cached': index of a video to a sample of it."""
    rng = np.random.default_rng(0)

    def plain(index: int) -> dict[str, np.ndarray]:
        info = datasets['decoded'].get_data_info(index)
        return plain_sample(info['filename'], info['gt_tubes'], rng)

    loaders = {name: dataset.prepare_data for name, dataset in datasets.items()}
    return dict(plain=plain, **loaders)


def make_videos(
    folder: str, lengths: Sequence[int], rng: np.random.Generator
) -> tuple[str, str]:
    """Write textured videos of 320 x 240 with a moving box, and their annotation.

    Args:
        folder: Where to write.
        lengths: Frames of each video.
        rng: Draws the texture.

    Returns:
        The annotation file and the folder of the videos.
    """
    texture = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    background = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    videos = []
    for number, length in enumerate(lengths):
        steps = np.arange(length)
        x = (100 + 90 * np.sin(steps / 20)).astype(int)
        boxes = np.stack([x, 0 * x + 60, x + 100, 0 * x + 200], 1)
        frames = (_frame(background, step, x[step]) for step in steps)
        name = f'{number}.mp4'
        write_video(Path(folder, 'videos', name), frames, crf=23)
        tube = dict(label=0, start=0, boxes=boxes)
        size = dict(width=WIDTH, height=HEIGHT, num_frames=length)
        videos.append(dict(id=str(number), file=name, **size, tubes=[tube]))
    ann_file = Path(folder, 'annotations.json')
    save_annotations(ann_file, ['moving'], videos)
    return str(ann_file), str(Path(folder, 'videos'))


def _frame(background: np.ndarray, step: int, x: int) -> np.ndarray:
    frame = np.roll(background, step, axis=1)
    frame[60:200, x : x + 100] = background[:140, :100] // 2 + 64
    return frame


def measure(
    variants: Mapping[str, Callable[[int], object]], num_videos: int, rounds: int
) -> dict[str, float]:
    """Median seconds of each variant; they take turns on every video.

    Args:
        variants: Functions that load a sample of the video with this index.
        num_videos: Videos to go round.
        rounds: How often; one more is run first and not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(-1, rounds):
        for index in range(num_videos):
            for name, load in variants.items():
                began = time.perf_counter()
                load(index)
                if number >= 0:
                    times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def loader_rate(
    dataset: TubeDataset, num_workers: int, num_samples: int = 256
) -> float:
    """Samples a second that a ``DataLoader`` delivers, batches of 4, workers warm."""
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=RandomSampler(dataset, replacement=True, num_samples=num_samples),
        num_workers=num_workers,
        collate_fn=pseudo_collate,
    )
    batches = iter(loader)
    # workers have filled their queue when the first batches are out
    for _ in range(3 * num_workers):
        next(batches)
    began = time.perf_counter()
    count = sum(len(batch['inputs']) for batch in batches)
    return count / (time.perf_counter() - began)


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compare ways to load a training sample.'
    )
    parser.add_argument('--ann-file', help='neutral annotation file')
    parser.add_argument('--data-prefix', help='folder of its videos')
    parser.add_argument(
        '--videos', type=int, default=20, help='take the first so many (20)'
    )
    parser.add_argument(
        '--lengths',
        type=int,
        nargs='+',
        default=[90, 180, 360],
        help='frames of the videos that are made if none are given (90 180 360)',
    )
    parser.add_argument('--rounds', type=int, default=10, help='turns to time (10)')
    parser.add_argument(
        '--workers',
        type=int,
        nargs='*',
        default=[1, 2],
        help='numbers of workers to try a DataLoader with (1 2)',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if args.ann_file:
            ann_file, video_dir = args.ann_file, args.data_prefix or ''
        else:
            rng = np.random.default_rng(0)
            ann_file, video_dir = make_videos(folder, args.lengths, rng)
        cache_dir = str(Path(folder, 'frames'))
        datasets = build_datasets(ann_file, video_dir, cache_dir, args.videos)
        variants = loading_variants(datasets)
        seconds = measure(variants, len(datasets['decoded']), args.rounds)
        for name, value in seconds.items():
            ratio = seconds['plain'] / value
            print(f'{name:8s} {1e3 * value:8.2f} ms a sample {ratio:7.1f}x')
        for num_workers in args.workers:
            for name, dataset in datasets.items():
                rate = loader_rate(dataset, num_workers)
                print(f'{name:8s} {num_workers} workers {rate:8.1f} samples/s')


if __name__ == '__main__':
    main()
