"""Convert exports "CVAT for video 1.1" to the neutral JSON file.

    python tools/convert_cvat.py jump.xml run.xml --out data/mine/annotations.json \
        --video-root data/mine/videos

One XML file (``annotations.xml`` of the exported archive) is one task, which is one
video. Read are

* ``meta/task`` or ``meta/job``: ``labels/label/name``, ``original_size/width`` and
  ``height``, ``stop_frame`` (or ``size``) for the length; ``source``, the name of the
  video, anywhere in ``meta`` (if missing, the task's ``name``);
* ``track``: ``id``, ``label``, and in it ``box``: ``frame`` (0-based, of the video),
  ``outside``, ``xtl``, ``ytl``, ``xbr``, ``ybr`` in pixels, 0-based and continuous.

A track's label is its class; classes are the labels in the order in which the files
name them, or those of ``--classes``. An export lists every frame, interpolated ones
too. A box that is ``outside`` says that the actor is gone until the next one and ends
the tube. A frame that is missing elsewhere means that only key frames were listed or
that the task took every n-th frame of the video: refused, unless ``--max-gap`` allows
interpolation over so many frames.

Projects, ``<image>`` (CVAT for images) and shapes other than boxes, or rotated ones,
are refused. Files with a DOCTYPE, or larger than ``--max-megabytes``, are not read.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from conversion.command import run
from conversion.cvat import check_gaps, read_cvat
from conversion.findings import Findings, print_end, print_table
from conversion.tracks import make_videos
from ssvad.annotations import save_annotations


def label_tracks(
    sources: Sequence[dict], classes: Sequence[str] | None, max_gap: int
) -> list[str]:
    """Classes of some exports; their tracks get numbers as labels, in place.

    Args:
        sources: As :func:`conversion.cvat.read_cvat` returns them.
        classes: Names in the order of the labels, if not those of the files.
        max_gap: Most frames in a row that a track may leave out.

    Raises:
        ValueError: a track has a label that is no class, or leaves out more frames.
    """
    if classes is None:
        classes = dict.fromkeys(name for source in sources for name in source['labels'])
    numbers = {name: label for label, name in enumerate(classes)}
    for source in sources:
        for track in source['tracks'].values():
            if track['label'] not in numbers:
                raise ValueError(
                    f'{track["where"]}: expected one of the labels {list(numbers)}, '
                    f'got {track["label"]!r}'
                )
            check_gaps(track, max_gap)
            track['label'] = numbers[track['label']]
    return list(numbers)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert exports "CVAT for video 1.1" to the neutral file.'
    )
    parser.add_argument('exports', type=Path, nargs='+', help='XML file of each video')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    parser.add_argument('--video-root', type=Path, help='ask the videos in this folder')
    parser.add_argument('--classes', nargs='+', help='names in the order of the labels')
    parser.add_argument(
        '--max-gap', type=int, default=0, help='longest gap to interpolate, in frames'
    )
    parser.add_argument(
        '--max-megabytes', type=float, default=64, help='largest file that is read'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    findings = Findings()
    files: dict[str, Path] = {}
    sources = []
    for path in args.exports:
        source = read_cvat(path, findings, args.max_megabytes)
        other = files.setdefault(source['id'], path)
        if other != path:
            raise ValueError(f"{path}: video '{source['id']}' stands in {other} too")
        sources.append(source)
    classes = label_tracks(sources, args.classes, args.max_gap)
    videos = make_videos(sources, findings, args.max_gap, args.video_root)
    if not videos:
        raise SystemExit(
            f'{args.exports[0]}: no video left; does {args.video_root} hold them?'
        )
    save_annotations(args.out, classes, videos)
    print_table('all', classes, videos)
    print_end(findings, videos, args.out)


if __name__ == '__main__':
    run(main)
