"""Reading exports "CVAT for video"; ``tools/convert_cvat.py`` says what is read."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from xml.etree.ElementTree import Element, ParseError

from .findings import Findings
from .safe_xml import read_xml
from .tracks import clip_box, number
from .values import short, whole
from .videos import video_id


def read_cvat(path: Path, findings: Findings, megabytes: float) -> dict:
    """Read one export.

    Returns:
        ``{'id', 'file', 'size': (width, height), 'length', 'labels': [name], 'tracks':
        {id: {'label': name, 'boxes': {frame: box or None}, 'where'}}}``.

    Raises:
        ValueError: not such an export, or something is missing or malformed.
    """
    with path.open('rb') as file:
        if file.read(2) == b'PK':
            raise ValueError(f'{path}: an archive; unpack annotations.xml from it')
    try:
        root = read_xml(path, megabytes)
    except ParseError as error:
        raise ValueError(f'{path}: not well-formed XML: {error}') from error
    task = root.find('meta/task')
    task = root.find('meta/job') if task is None else task
    if root.tag != 'annotations' or task is None or root.find('image') is not None:
        raise ValueError(
            f'{path}: expected an export "CVAT for video 1.1" of one task, with '
            f'<meta><task> and <track>, got <{root.tag}> with '
            f'{sorted({child.tag for child in root})}'
        )
    where = str(path)
    source = root.find('meta//source')
    if source is None:
        findings.add('files without <source>, named after their task', path.name)
        source = task.find('name')
    # Old versions wrote the whole path of the server.
    file = PureWindowsPath(_text(source, f'{where}: <source>')).name
    size = tuple(
        _whole(task.find(f'original_size/{key}'), f'{where}: original_size/{key}')
        for key in ('width', 'height')
    )
    length = _whole(task.find('size'), f'{where}: size')
    # A task that starts late or takes every n-th frame has fewer frames than its video.
    if task.find('stop_frame') is not None:
        stop = _whole(task.find('stop_frame'), f'{where}: stop_frame')
        length = max(length, stop + 1)
    labels = [
        _text(name, f'{where}: a label') for name in task.findall('labels/label/name')
    ]
    video = {'id': video_id(file), 'file': file, 'size': size, 'length': length}
    where = f"{where}: video '{video['id']}'"
    tracks: dict[str, dict] = {}
    for index, track in enumerate(root.findall('track')):
        name = track.get('id', str(index))
        if name in tracks:
            raise ValueError(f'{where}: track {name}: the id occurs twice')
        tracks[name] = _track(track, name, where, video, findings)
    return {**video, 'labels': labels, 'tracks': tracks}


def _track(
    track: Element, name: str, where: str, video: dict, findings: Findings
) -> dict:
    where, place = f'{where}: track {name}', f'{video["id"]}[{name}]'
    boxes: dict[int, list[float] | None] = {}
    for shape in track:
        text = shape.get('frame', '')
        if not text.isdecimal() or len(text) > 9:
            raise ValueError(f"{where}: expected a number as 'frame', got '{text}'")
        frame, spot = int(text), f'{where}: frame {text}'
        rotation = number(shape.get('rotation', 0), f"{spot}: 'rotation'")
        if shape.tag != 'box' or rotation:
            raise ValueError(
                f'{spot}: only upright boxes are read, got <{shape.tag}> '
                f'{short(shape.attrib)}'
            )
        if frame in boxes:
            raise ValueError(f'{spot}: is listed twice')
        outside = shape.get('outside', '0')
        if outside not in ('0', '1'):
            raise ValueError(f"{spot}: 'outside' must be 0 or 1, got '{outside}'")
        boxes[frame] = None
        if outside == '0':
            if frame >= video['length']:
                raise ValueError(f'{spot}: the video has {video["length"]} frames')
            keys = ('xtl', 'ytl', 'xbr', 'ybr')
            box = [number(shape.get(key), f"{spot}: '{key}'") for key in keys]
            boxes[frame] = clip_box(box, video['size'], spot, place, findings)
    return {'label': track.get('label'), 'boxes': boxes, 'where': where}


def _text(element: Element | None, where: str) -> str:
    text = '' if element is None else (element.text or '').strip()
    if not text or not text.isprintable():
        raise ValueError(f'{where}: is missing or empty, or not printable')
    return text


def _whole(element: Element | None, where: str) -> int:
    return whole(number(_text(element, where), where), where)


def check_gaps(track: dict, max_gap: int) -> None:
    """Refuse a track that does not list every frame.

    Raises:
        ValueError: more than ``max_gap`` frames are missing after a box.
    """
    frames = sorted(track['boxes'])
    for before, after in zip(frames, frames[1:]):
        present = track['boxes'][before] is not None
        if present and after - before - 1 > max_gap:
            raise ValueError(
                f'{track["where"]}: frames {before + 1} to {after - 1} are not listed; '
                f'--max-gap {after - before - 1} would interpolate over them'
            )
