"""Find who does what, where and when in videos.

    python tools/infer.py my_video.mp4 --weights work_dirs/toy_semi_var/epoch_16.pth \
        --out-dir results

writes results/my_video.json (tubes with class, score and boxes), results/my_video.mp4
(the video with masks and tubes drawn) and results/my_video.png (a row of its frames). A
video is a file or an address, a folder, a pattern in quotes, or the number of a camera,
which is read until Ctrl-C or --max-frames. Memory does not grow with its length.

The config is the one beside the checkpoint, as training leaves it there; --config names
another. What the network sees of a frame is what its test pipeline says; for videos of
another size than those of the training, --short-side shows it whole frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import DictAction

import ssvad  # noqa: F401  (first: mends and registers)
from ssvad.apis import TubeInferencer
from ssvad.apis.model_loading import read_config
from ssvad.visualization.render_tubes import best_tubes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Find who does what, where and when in videos.'
    )
    add = parser.add_argument
    add('videos', nargs='+', help='files, folders, patterns in quotes, or a camera: 0')
    add('--weights', help='checkpoint (without one the network is random)')
    add('--config', help='config file (the one beside the checkpoint)')
    add('--out-dir', default='', help='folder for <name>.json, .mp4 and .png')
    add('--pred-out-file', default='', help='JSON file for the tubes of all videos')
    add('--device', help='e.g. cuda:1 (what there is)')
    add('--prefix', default='', help="take weights with this prefix, e.g. 'detector.'")
    add('--label-file', help='class names, one a line (those of the checkpoint)')
    add('--short-side', type=int, help='show whole frames, their shorter side so long')
    add('--mask-thr', type=float, help='smallest probability of foreground')
    add('--score-thr', type=float, default=0.0, help='smallest score of a tube (0)')
    add('--topk-classes', type=int, help='largest number of classes for a track')
    add(
        '--class-score',
        choices=['video', 'clip'],
        help='classes by the mean over the video, or by the clips that a track is in, '
        'for long videos with several actions',
    )
    add('--clips-per-forward', type=int, help='clips that the network gets at a time')
    add('--masks', action='store_true', help='write the masks into the JSON files too')
    add('--max-frames', type=int, help='frames after which a video ends')
    add('--on-error', choices=['raise', 'skip'], default='raise', help='broken files')
    add('--no-progress', action='store_true', help='show no bar')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, key=value, as in tools/test.py',
    )
    return parser.parse_args(argv)


def summary(prediction: Mapping) -> str:
    """A line for the video, then one for the best class of each actor."""
    tubes = best_tubes(prediction['tubes'])
    lines = [
        f'{prediction["video"]}: {prediction["num_frames"]} frames, {len(tubes)} tubes'
    ]
    for tube in tubes:
        last = tube['start'] + len(tube['boxes']) - 1
        lines.append(
            f'  #{tube["id"]} {tube["class"]} {tube["score"]:.3f}, '
            f'frames {tube["start"]} to {last}'
        )
    if not tubes:
        lines.append(
            '  Trained for long enough? --mask-thr takes pixels that are less sure, '
            '--score-thr tubes; --short-side shows the network whole frames'
        )
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    videos = [
        int(video) if video.isdecimal() and not Path(video).exists() else video
        for video in args.videos
    ]
    changes = dict(topk_classes=args.topk_classes, class_score=args.class_score)
    try:
        cfg = read_config(args.config, args.weights)
        cfg.merge_from_dict(args.cfg_options)
        inferencer = TubeInferencer(
            cfg,
            args.weights,
            args.device,
            label_file=args.label_file,
            prefix=args.prefix,
            short_side=args.short_side,
            clips_per_forward=args.clips_per_forward,
            mask_thr=args.mask_thr,
            score_thr=args.score_thr,
            evaluator={k: v for k, v in changes.items() if v is not None},
            show_progress=not args.no_progress,
        )
        found = inferencer(
            videos,
            vid_out_dir=args.out_dir,
            pred_out_file=args.pred_out_file,
            return_masks=args.masks,
            max_frames=args.max_frames,
            on_error=args.on_error,
        )
    except (ValueError, FileNotFoundError, NotADirectoryError) as error:
        raise SystemExit(str(error)) from error
    for prediction in found['predictions']:
        print(summary(prediction))
    if args.out_dir:
        print(f'written to {args.out_dir}')


if __name__ == '__main__':
    main()
