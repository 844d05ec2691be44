"""UCF101-24 from the XML files of THUMOS, one ``<Class>/<video>.xgtf`` a video.

They are ViPER files: ``viper/data/sourcefile``, of which only the first belongs to the
video. Read from it, names without namespaces:

* ``file/attribute[@name='NUMFRAMES']/dvalue/@value``: frames of the video, if there;
* ``object[@name='PERSON']``: one person, ``framespan`` where it is visible;
* its ``attribute[@name='Location']/bbox``: ``framespan``, ``x``, ``y``, ``width``,
  ``height``; without a framespan the box holds for all frames of the person;
* its ``attribute`` named after the class (``BasketballDunk``, in old files
  ``basketball_shooting``; case, spaces and underscores do not matter)
  ``/bvalue[@value='true']``: ``framespan`` where the person does the action.

A framespan is ``first:last``, 1-based, both inclusive, or several of them with spaces
between. Every stretch of frames in which a person acts is one tube. ``x`` and ``y`` are
0-based; a box covers the pixels x to x + width inclusive, as the corrected annotations
made from these files have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from .findings import Findings
from .safe_xml import read_xml

# Files that UCF101 inherited from its predecessor keep the old names.
OLD_NAMES = {'basketballshooting': 'basketball', 'walking': 'walkingwithdog'}
MEGABYTES = 16
SPANNED = ('bbox', 'bvalue')
# Persons have a box a frame; 30 bytes could ask for a hundred thousand.
MAX_FRAMES = 1_000_000


def read_xml_files(path: Path, findings: Findings) -> dict[str, dict]:
    """Entries, as of ``read_pickle``, of one XML file or of a folder of them.

    Args:
        path: A ``.xgtf`` or ``.xml`` file, or a folder with ``<Class>/<video>.xgtf``.
        findings: Gets what is irregular; files that are not well-formed (the official
            set has some) are left out and counted.

    Raises:
        ValueError: no file, one that is not such a file, or a malformed value.
    """
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.rglob('*') if f.suffix in ('.xgtf', '.xml'))
        if not files:
            raise ValueError(f'{path}: expected <Class>/<video>.xgtf in it, found none')
    entries: dict[str, dict] = {}
    for file in files:
        video_id = f'{file.absolute().parent.name}/{file.stem}'
        if video_id in entries:
            raise ValueError(f"{file}: video '{video_id}' has two files")
        try:
            entries[video_id] = _entry(file, video_id, findings)
        except ParseError as error:
            findings.add(
                'XML files left out, not well-formed', f'{file.name} ({error})'
            )
    return entries


def _entry(file: Path, video_id: str, findings: Findings) -> dict:
    where = f"{file}: video '{video_id}'"
    root = read_xml(file, MEGABYTES)
    sources = root.findall('data/sourcefile')
    if root.tag != 'viper' or not sources:
        raise ValueError(
            f'{file}: expected a ViPER file with <viper><data><sourcefile>, got '
            f'<{root.tag}>'
        )
    if sources[1:]:
        findings.add('XML files with several sources, the first is read', video_id)
    numf = sources[0].find("file/attribute[@name='NUMFRAMES']/dvalue")
    asked = sum(_count_frames(p, where) for p in sources[0].iter('object'))
    if asked > MAX_FRAMES:
        raise ValueError(
            f'{where}: framespans of {asked} frames, expected at most {MAX_FRAMES}'
        )
    annotations = []
    idle = []
    for index, person in enumerate(sources[0].findall('object')):
        if person.get('name') != 'PERSON':
            findings.add('objects that are no PERSON, left out', f'{video_id}[{index}]')
            continue
        tubes = list(_tubes(person, video_id, f'{where}: object {index}', findings))
        idle += [] if tubes else [index]
        annotations += tubes
    findings.add('persons that do not act, left out', video_id, len(idle))
    if not annotations:
        findings.add('videos in which nobody is said to act', video_id)
    return {
        'annotations': annotations,
        # ViPER writes 0 where it does not know.
        'numf': None if numf is None else _number(numf, 'value', where, int) or None,
        'file': str(file),
    }


def _tubes(
    person: Element, video_id: str, where: str, findings: Findings
) -> Iterator[dict]:
    visible = _spans(person, where)
    boxes: dict[int, list] = {}
    for box in person.findall("attribute[@name='Location']/bbox"):
        values = [_number(box, k, where, float) for k in ('x', 'y', 'width', 'height')]
        # From 0-based to the 1-based numbers of the corrected annotations.
        values[:2] = values[0] + 1, values[1] + 1
        for frame in _frames(_spans(box, where) or visible):
            if frame in boxes:
                findings.add('frames with two boxes, the first is taken', video_id)
            boxes.setdefault(frame, values)
    acting = set()
    for attribute in person.findall('attribute'):
        if _plain(attribute.get('name', '')) == _plain(video_id.split('/')[0]):
            for value in attribute.findall('bvalue'):
                if value.get('value', '').lower() in ('true', '1'):
                    acting.update(_frames(_spans(value, where) or visible))
    stretch: list[int] = []
    for frame in sorted(acting):
        if stretch and frame > stretch[-1] + 1:
            yield from _tube(stretch, boxes, video_id, findings)
            stretch = []
        stretch.append(frame)
    yield from _tube(stretch, boxes, video_id, findings)


def _tube(
    frames: list[int], boxes: dict[int, list], video_id: str, findings: Findings
) -> Iterator[dict]:
    """The tube of some 1-based frames; a frame without a box takes the one before."""
    known = [frame for frame in frames if frame in boxes]
    kind = 'frames of an action without a box'
    findings.add(kind, video_id, len(frames) - len(known))
    if known:
        rows = []
        for frame in range(known[0], known[-1] + 1):
            rows.append(boxes.get(frame) or rows[-1])
        yield {'label': None, 'sf': known[0] - 1, 'ef': known[-1], 'boxes': rows}


def _plain(name: str) -> str:
    name = re.sub(r'[ _]', '', name).lower()
    return OLD_NAMES.get(name, name)


def _spans(element: Element, where: str) -> list[tuple[int, int]]:
    text = element.get('framespan', '')
    spans = [re.fullmatch(r'(\d{1,5}):(\d{1,5})', part) for part in text.split()]
    if not all(spans):
        raise ValueError(f"{where}: expected framespan 'first:last', got '{text}'")
    return [(int(span[1]), int(span[2])) for span in spans]


def _frames(spans: list[tuple[int, int]]) -> Iterator[int]:
    for first, last in spans:
        yield from range(first, last + 1)


def _count_frames(person: Element, where: str) -> int:
    visible = _spans(person, where)
    spans = [_spans(e, where) or visible for e in person.iter() if e.tag in SPANNED]
    return sum(max(last - first + 1, 0) for span in spans for first, last in span)


def _number(element: Element, key: str, where: str, kind: type) -> float:
    text = element.get(key)
    try:
        return kind(text)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: <{element.tag} framespan='{element.get('framespan')}'>: "
            f'expected a number as {key}, got {text!r}'
        ) from error
