"""Convert a COCO-style video annotation to the neutral JSON file.

    python tools/convert_coco.py instances.json --out data/mine/annotations.json \
        --video-root data/mine/videos

Read are these keys, in the spelling of CocoVID (MMTracking) or, after "or", of TAO;
others do not matter:

* ``categories``: ``id``, ``name``. The classes, in the order of the ids.
* ``videos``: ``id``; ``file_name`` or ``name``, the file relative to the video folder
  (``--video-ext`` is added if it has no extension of a video); ``width``, ``height``
  (may stand in the images instead); ``length`` or ``num_frames``, if there.
* ``images``, one a frame that somebody looked at: ``id``, ``video_id``, ``frame_id`` or
  ``frame_index``, counted from 0 (or from ``--first-frame``).
* ``annotations``: ``id``, ``image_id``, ``category_id``, ``instance_id`` or
  ``track_id`` (the same number in two videos means two tracks), ``bbox`` [x, y, width,
  height] in pixels, 0-based and continuous, so [x, y, x + width, y + height] in the
  neutral file. ``iscrowd`` annotations are left out and counted.

A track has one category. Where a track has no box on a frame it is cut into several
tubes, unless the gap is at most ``--max-gap`` frames long: then boxes on the straight
line between the neighbours fill it, which is what one wants if only every tenth frame
was annotated. Boxes are clipped to the frame; a box without area there counts as
absence. A video without a length is taken to end with its last image, or with
``--video-root`` where it ends. YouTube-VIS files (``bboxes`` per video) are refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from conversion.coco import read_coco
from conversion.command import run
from conversion.findings import Findings, print_end, print_table
from conversion.tracks import make_videos
from ssvad.annotations import save_annotations


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert a COCO-style video annotation to the neutral file.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('annotations', type=Path, help='COCO-style JSON file')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    parser.add_argument('--video-root', type=Path, help='ask the videos in this folder')
    parser.add_argument('--video-ext', default='', help='extension of bare video names')
    parser.add_argument(
        '--first-frame', type=int, choices=[0, 1], default=0, help='its number'
    )
    parser.add_argument(
        '--max-gap', type=int, default=0, help='longest gap to interpolate, in frames'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    findings = Findings()
    ext = args.video_ext.lstrip('.')
    classes, sources = read_coco(args.annotations, findings, args.first_frame, ext)
    videos = make_videos(sources, findings, args.max_gap, args.video_root)
    if not videos:
        raise SystemExit(
            f'{args.annotations}: no video left; does {args.video_root} hold them?'
        )
    save_annotations(args.out, classes, videos)
    print_table('all', classes, videos)
    print_end(findings, videos, args.out)


if __name__ == '__main__':
    run(main)
