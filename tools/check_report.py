"""What tools/check_dataset.py prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Kind of problem -> what to do about it, in the order of the report.
KINDS = {
    'unreadable-file': 'not a file of its kind; the rest of it was not checked',
    'bad-classes': 'mend the list of classes',
    'bad-entry': 'mend the entry, or convert the dataset again',
    'bad-path': "give the file relative to --data-prefix, without '..'",
    'duplicate-id': 'leave one of the entries',
    'bad-label': 'a label is an index into the classes, from 0',
    'tube-outside-video': 'cut the tube, or correct num_frames',
    'box-not-finite': 'leave these frames out of the tube, or interpolate',
    'box-inverted': 'swap the edges, or convert again if numbers overflowed',
    'box-empty': 'leave these frames out of the tube, or interpolate',
    'box-outside-frame': 'clip the boxes to the frame',
    'missing-video': 'get the video, or remove its entry and its line in the lists',
    'unreadable-video': 'get the video again, or convert it with ffmpeg',
    'shorter-than-annotated': 'get the right version of the video; training stops here',
    'longer-than-annotated': 'fine if meant: the last frames are never used',
    'other-size': 'get the right version of the video, or scale the boxes',
    'same-content': 'remove one of them, or it counts twice',
    'same-content-across-splits': 'remove one of them: a list leaks into another',
    'empty-split': 'write one video id a line',
    'twice-in-split': 'remove the second line',
    'unknown-in-split': 'correct the id, or annotate the video',
    'overlap': 'remove the video from one of the lists',
}


def print_report(report: Mapping, allowed: Sequence[str], shown: int = 5) -> None:
    """Print the table of classes, some problems of each kind, and the hints."""
    lists = ', '.join(f'{name} {count}' for name, count in report['splits'].items())
    print(f'{report["videos"]} videos' + (f'; in lists: {lists}' if lists else ''))
    _print_classes(report['classes'])
    found = report['problems']
    for kind, remedy in KINDS.items():
        messages = [item['message'] for item in found if item['kind'] == kind]
        if messages:
            mark = ' (allowed)' if kind in allowed else ''
            print(f'\n{len(messages)} {kind}{mark}: {remedy}')
            print('\n'.join(f'  {message}' for message in messages[:shown]))
        if messages[shown:]:
            print(f'  ... and {len(messages) - shown} more')
    if report['hints']:
        print('\nhints, which may be nothing:')
        print('\n'.join(f'  {hint}' for hint in report['hints']))
    print()


def _print_classes(balance: Mapping) -> None:
    labels = dict.fromkeys(label for table in balance.values() for label in table)
    if not labels:
        return
    width, keys = max(16, *map(len, labels)), ('videos', 'tubes', 'frames')
    print('\n' + ' ' * width + ''.join(f'{name:>24s}' for name in balance))
    print(f'{"class":{width}s}' + ''.join(f'{key:>8s}' for key in keys) * len(balance))
    for label in sorted(labels):
        rows = [table.get(label, {}) for table in balance.values()]
        cells = [row.get(key, 0) for row in rows for key in keys]
        print(f'{label:{width}s}' + ''.join(f'{cell:8d}' for cell in cells))
