"""Write the toy data set: videos, annotation file and split lists.

    python tools/make_toy_dataset.py --out-dir data/toy

Run again with the same settings it writes the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from ssvad.annotations import save_annotations, split_by_class, write_split
from ssvad.datasets.toy_scene import CLASSES, DIFFICULTIES, ToyOptions
from ssvad.datasets.toy_videos import render_video
from ssvad.video_io import write_video

SETTINGS = 'toy.json'


def make_toy_dataset(
    out_dir: Path,
    num_train: int,
    num_test: int,
    labeled_fraction: float,
    seed: int,
    options: ToyOptions,
    overwrite: bool = False,
    progress=None,
) -> dict[str, list[str]]:
    """Write everything below ``out_dir``.

    Args:
        out_dir: Gets ``videos/``, ``annotations.json``, ``splits/`` and ``toy.json``.
        num_train: Number of training videos, labelled and unlabelled together.
        num_test: Number of test videos.
        labeled_fraction: See :func:`ssvad.annotations.split_by_class`.
        seed: Of videos and split.
        options: What the videos contain.
        overwrite: Replace a toy set made with other settings.
        progress: Called with (videos done, all videos).

    Returns:
        Split name -> video ids.

    Raises:
        ValueError: ``out_dir`` holds something else, or the fraction labels nothing.
    """
    settings = {
        'num_train': num_train,
        'num_test': num_test,
        'labeled_fraction': labeled_fraction,
        'seed': seed,
        'options': dataclasses.asdict(options),
    }
    settings = json.dumps(settings, indent=1) + '\n'
    # The class follows from the index: a fraction that labels nothing fails early.
    classes = [{'label': index % len(CLASSES)} for index in range(num_train)]
    labeled, unlabeled = split_by_class(
        [{'id': _id('train', i), 'tubes': [tube]} for i, tube in enumerate(classes)],
        labeled_fraction,
        seed,
    )
    _claim(out_dir, settings, overwrite)
    videos: dict[str, list[dict]] = {'train': [], 'test': []}
    jobs = [('train', i) for i in range(num_train)]
    jobs += [('test', i) for i in range(num_test)]
    for done, (split, index) in enumerate(jobs, 1):
        frames, tubes = render_video(seed, split, index, options)
        video_id = _id(split, index)
        write_video(out_dir / 'videos' / f'{video_id}.mp4', frames)
        videos[split].append(
            {
                'id': video_id,
                'file': f'{video_id}.mp4',
                'width': options.width,
                'height': options.height,
                'num_frames': len(frames),
                'tubes': tubes,
            }
        )
        if progress:
            progress(done, len(jobs))
    save_annotations(
        out_dir / 'annotations.json', CLASSES, videos['train'] + videos['test']
    )
    splits = {name: [video['id'] for video in videos[name]] for name in videos}
    splits.update(labeled=labeled, unlabeled=unlabeled)
    for name, ids in splits.items():
        write_split(out_dir / 'splits' / f'{name}.txt', ids)
    return splits


def _id(split: str, index: int) -> str:
    return f'{split}_{index:04d}'


def _claim(out_dir: Path, settings: str, overwrite: bool) -> None:
    """Refuse a folder of something else; drop the videos of other settings."""
    file = out_dir / SETTINGS
    if out_dir.exists() and any(out_dir.iterdir()):
        if not file.is_file():
            raise ValueError(
                f'{out_dir} is not empty and holds no {SETTINGS}; name a new folder'
            )
        if file.read_text() != settings:
            if not overwrite:
                raise ValueError(
                    f'{out_dir} holds a toy set of other settings (see {file}); name '
                    'another folder or give --overwrite'
                )
            for split in ('train', 'test'):
                for video in (out_dir / 'videos').glob(f'{split}_*.mp4'):
                    video.unlink()
    out_dir.mkdir(parents=True, exist_ok=True)
    file.write_text(settings)


def parse_args(argv=None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Write the toy data set.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('--out-dir', type=Path, default=Path('data/toy'))
    parser.add_argument('--num-train', type=int, default=200)
    parser.add_argument('--num-test', type=int, default=80)
    parser.add_argument('--labeled-fraction', type=float, default=0.2)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--difficulty', choices=sorted(DIFFICULTIES), default='default', help='preset'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a set of other settings'
    )
    group = parser.add_argument_group('overrides of the preset')
    for field in dataclasses.fields(ToyOptions):
        kind = int if 'int' in field.type else float
        pair = {'nargs': 2, 'metavar': ('LOW', 'HIGH')} if '[' in field.type else {}
        name = '--' + field.name.replace('_', '-')
        group.add_argument(name, type=kind, default=argparse.SUPPRESS, **pair)
    return parser.parse_args(argv)


def main(argv=None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    names = {field.name for field in dataclasses.fields(ToyOptions)}
    changes = {key: value for key, value in vars(args).items() if key in names}
    options = dataclasses.replace(DIFFICULTIES[args.difficulty], **changes)

    def progress(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            print(f'{done}/{total} videos', flush=True)

    began = time.perf_counter()
    splits = make_toy_dataset(
        args.out_dir,
        args.num_train,
        args.num_test,
        args.labeled_fraction,
        args.seed,
        options,
        args.overwrite,
        progress,
    )
    print(f'done in {time.perf_counter() - began:.1f} s')
    print(f'videos       {args.out_dir / "videos"}')
    print(f'annotations  {args.out_dir / "annotations.json"}')
    for name in ('train', 'labeled', 'unlabeled', 'test'):
        path = args.out_dir / 'splits' / f'{name}.txt'
        print(f'{len(splits[name]):5d} videos {path}')


if __name__ == '__main__':
    main()
