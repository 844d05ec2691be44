"""Convert an annotation of UCF101-24 to the neutral JSON file.

    python tools/convert_ucf24.py pyannot.pkl --out data/ucf24/annotations.json \
        --testlist testlist01.txt --video-root data/ucf24/videos --video-ext avi

Sources, of which several files of one kind may be given (trainAnnot.mat testAnnot.mat):

* ``pyannot.pkl`` and ``finalAnnots.mat``, the corrected annotations: the same tubes;
* ``<Class>/<video>.xgtf``, the XML files of THUMOS, or the folder of all of them;
* the split pickles of the released code (``train_annots_20_labeled.pkl``, ...). They
  name no video lengths, so ``--video-root`` or ``--lengths`` is needed, and their
  videos are written as lists to ``splits/`` beside ``--out``.

``tools/conversion/ucf24_*.py`` describe what is read; all else is refused. What becomes
of it:

* Boxes are xywh, 1-based, covering the pixels x to x + w inclusive (as ACT's evaluation
  reads them), in uint8 or uint16. They are cast to float first, because x + w wraps,
  and become the 0-based half-open [x - 1, y - 1, x + w, y + h]: its plain IoU equals
  ACT's inclusive one. Then they are clipped to 320 x 240.
* The label is the index of the video's folder among the 24 classes, sorted by name; if
  there are other folders, among all folders.

Irregular entries are counted, named and resolved so: a tube with another number of
boxes than frames ends with the shorter of the two; frames before 0 or past the end of
the video are cut off; a box without area (w < 1 or h < 1, or none left after clipping)
takes the place of the box before it, or is cut off at either end of the tube; a tube
with nothing left is dropped. With ``--video-root`` videos that are missing or not
320 x 240 are dropped, and a video shorter than its annotation says is taken at its real
length.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from conversion.command import run
from conversion.findings import Findings, class_table, print_end, print_table
from conversion.ucf24_mat import read_mat
from conversion.ucf24_pickles import read_pickle
from conversion.ucf24_tubes import HEIGHT, WIDTH, convert_tube
from conversion.ucf24_xml import read_xml_files
from conversion.values import whole
from conversion.videos import usable_length
from ssvad.annotations import save_annotations, write_split
from ssvad.files import read_text

__all__ = ['Findings', 'class_table', 'convert', 'convert_tube', 'read_source']

CLASSES = """
Basketball BasketballDunk Biking CliffDiving CricketBowling Diving Fencing
FloorGymnastics GolfSwing HorseRiding IceDancing LongJump PoleVault RopeClimbing
SalsaSpin SkateBoarding Skiing Skijet SoccerJuggling Surfing TennisSwing
TrampolineJumping VolleyballSpiking WalkingWithDog
""".split()


def read_source(path: Path, findings: Findings) -> dict[str, dict]:
    """Read a source of any kind.

    Returns:
        ``{video: {'annotations': [{'label', 'sf', 'ef', 'boxes'}], 'numf', 'file'}}``
        with ``sf`` 0-based, ``ef`` exclusive, ``boxes`` as the module says; ``label``
        and ``numf`` are None if unknown. Split pickles have a key ``labeled``.

    Raises:
        ValueError: a file of another kind, or a malformed one.
    """
    if path.is_dir() or path.suffix in ('.xgtf', '.xml'):
        return read_xml_files(path, findings)
    return read_mat(path) if path.suffix == '.mat' else read_pickle(path)


def merge_sources(paths: Sequence[Path], findings: Findings) -> dict[str, dict]:
    """Entries of several sources.

    Raises:
        ValueError: as :func:`read_source`, or two sources share a video.
    """
    entries: dict[str, dict] = {}
    for path in paths:
        more = read_source(path, findings)
        for video_id in sorted(set(entries) & set(more)):
            raise ValueError(
                f"video '{video_id}' stands in {entries[video_id]['file']} and in "
                f'{more[video_id]["file"]}'
            )
        entries.update(more)
    return entries


def convert(
    entries: dict[str, dict],
    video_ext: str,
    findings: Findings,
    video_root: Path | None = None,
) -> tuple[list[str], list[dict]]:
    """Classes and videos of the neutral annotation, both sorted.

    Args:
        entries: As :func:`read_source` returns them.
        video_ext: Extension of the videos' names, without a dot.
        findings: Gets the irregularities.
        video_root: Folder of the videos, if they are to be asked.

    Raises:
        ValueError: a label that is not the one of the video's folder, a malformed
            value, or a length that nothing tells.
    """
    folders = {video_id.split('/')[0] for video_id in entries}
    classes = CLASSES if folders <= set(CLASSES) else sorted(folders)
    videos = []
    for video_id, entry in sorted(entries.items()):
        where = f'{entry["file"]}: ' if 'file' in entry else ''
        where += f"video '{video_id}'"
        num_frames = entry['numf']
        if num_frames is not None:
            num_frames = whole(num_frames, f"{where}: 'numf'")
        file = f'{video_id}.{video_ext}'
        if video_root is not None:
            size = WIDTH, HEIGHT
            num_frames = usable_length(video_root, file, size, num_frames, findings)
            if num_frames is None:
                continue
        if num_frames is None:
            raise ValueError(
                f'{where}: nothing tells its length; give --video-root, or --lengths '
                'with an annotation that has it (pyannot.pkl)'
            )
        expected = classes.index(video_id.split('/')[0])
        tubes = []
        for index, annotation in enumerate(entry['annotations']):
            spot = f'{where}: tube {index}'
            label = annotation['label']
            label = expected if label is None else whole(label, f"{spot}: 'label'")
            if label != expected:
                raise ValueError(
                    f'{spot}: expected label {expected} for '
                    f"'{classes[expected]}', got {label}"
                )
            annotation, place = {**annotation, 'label': label}, f'{video_id}[{index}]'
            tube = convert_tube(annotation, num_frames, place, findings, spot)
            if tube is not None:
                tubes.append(tube)
        video = {'id': video_id, 'file': file, 'width': WIDTH, 'height': HEIGHT}
        videos.append({**video, 'num_frames': num_frames, 'tubes': tubes})
    return list(classes), videos


def read_testlist(path: Path) -> list[str]:
    """Ids of a UCF list, with or without file extension and label behind."""
    ids = []
    for line in read_text(path).splitlines():
        if line.strip():
            name = PurePosixPath(line.split()[0])
            ids.append(str(name.with_suffix('') if name.suffix else name))
    return ids


def source_lists(entries: dict[str, dict], videos: Sequence[dict]) -> dict[str, list]:
    """Ids of the videos of each split pickle, by the name of its list.

    That is the name of the file, with ``_labeled`` or ``_unlabeled`` behind if the file
    holds both kinds (then ``_without_flag`` too, for videos without annotation).

    Raises:
        ValueError: two of the files have one name.
    """
    groups: dict[str, list] = {}
    for video in videos:
        entry = entries[video['id']]
        if 'labeled' in entry:
            member = entry['labeled'], video['id']
            groups.setdefault(entry['file'], []).append(member)
    ending = {True: '_labeled', False: '_unlabeled', None: '_without_flag'}
    lists: dict[str, list] = {}
    stems = [Path(file).stem for file in groups]
    for stem, members in zip(stems, groups.values()):
        if stems.count(stem) > 1:
            raise ValueError(f"two split pickles are called '{stem}'; rename one")
        both = {True, False} <= {flag for flag, _ in members}
        for flag, video_id in members:
            name = stem + (ending[flag] if both else '')
            lists.setdefault(name, []).append(video_id)
    return lists


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Convert an annotation of UCF101-24 to the neutral file.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        'sources',
        type=Path,
        nargs='+',
        metavar='source',
        help='pyannot.pkl, finalAnnots.mat, the folder of the XML files, split pickles',
    )
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    parser.add_argument('--video-ext', default='avi', help='extension of the videos')
    parser.add_argument(
        '--video-root',
        type=Path,
        help='folder of the videos: keep those that exist, check their size and length',
    )
    parser.add_argument(
        '--lengths',
        type=Path,
        help='pyannot.pkl or finalAnnots.mat, to take the numbers of frames from',
    )
    parser.add_argument(
        '--testlist',
        type=Path,
        help='testlist01.txt: write splits/test.txt and splits/train.txt beside --out',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args = parse_args(argv)
    began = time.perf_counter()
    findings = Findings()
    ext = args.video_ext.lstrip('.')
    entries = merge_sources(args.sources, findings)
    if args.lengths is not None:
        lengths = read_source(args.lengths, findings)
        for video_id, entry in entries.items():
            entry['numf'] = lengths.get(video_id, entry)['numf']
    classes, videos = convert(entries, ext, findings, args.video_root)
    if not videos:
        raise SystemExit(
            f'{args.sources[0]}: no video left; does {args.video_root} hold .{ext} '
            'files? ' + '; '.join(findings.lines())
        )
    lists = source_lists(entries, videos)
    save_annotations(args.out, classes, videos)
    shown = 'all', videos
    if args.testlist is not None:
        listed = set(read_testlist(args.testlist))
        for video_id in sorted(listed - set(entries)):
            findings.add('videos of the test list without annotation', video_id)
        for name in ('train', 'test'):
            part = [v for v in videos if (v['id'] in listed) == (name == 'test')]
            if part:
                lists[name] = [video['id'] for video in part]
                shown = name, part
    for name, ids in lists.items():
        path = args.out.parent / 'splits' / f'{name}.txt'
        write_split(path, ids)
        print(f'{len(ids)} videos -> {path}')
    print_table(shown[0], classes, shown[1])
    print_end(findings, videos, args.out)
    print(f'done in {time.perf_counter() - began:.1f} s')


if __name__ == '__main__':
    run(main)
