"""A stranger's folder: videos, some annotated in CVAT or COCO style, most not."""

import json
from pathlib import Path

from ssvad.datasets.toy_scene import CLASSES, ToyOptions
from ssvad.datasets.toy_videos import render_video
from ssvad.video_io import write_video

LARGE = dict(sprite_size=(36, 48), num_frames=(24, 32))
# the telephone was held upright for every third video
SHAPES = [
    ToyOptions(width=w, height=h, **LARGE) for w, h in [(128, 96)] * 2 + [(96, 128)]
]
TASK = """<annotations><version>1.1</version><meta><task><size>{frames}</size>
<labels>{labels}</labels>
<original_size><width>{width}</width><height>{height}</height></original_size>
</task><source>{name}</source></meta>
{tracks}
</annotations>"""
BOX = '<box frame="{}" outside="{}" xtl="{}" ytl="{}" xbr="{}" ybr="{}"/>'


def film(path: Path, index: int, split: str = 'train') -> dict:
    """Write video ``index``, whose class is ``index % 4``; returns what is in it."""
    options = SHAPES[index % len(SHAPES)]
    frames, tubes = render_video(0, split, index, options)
    write_video(path, frames)
    size = dict(width=options.width, height=options.height, frames=len(frames))
    return dict(size, tubes=tubes)


def cvat(name: str, video: dict) -> str:
    """What CVAT exports of a video."""
    tracks = []
    for number, tube in enumerate(video['tubes']):
        boxes = list(enumerate(tube['boxes'], tube['start']))
        rows = [BOX.format(frame, 0, *box) for frame, box in boxes]
        last, box = boxes[-1]
        if last + 1 < video['frames']:
            rows.append(BOX.format(last + 1, 1, *box))
        label = CLASSES[tube['label']]
        tracks.append(f'<track id="{number}" label="{label}">{"".join(rows)}</track>')
    labels = ''.join(f'<label><name>{name}</name></label>' for name in CLASSES)
    known = {key: video[key] for key in ('width', 'height', 'frames')}
    return TASK.format(**known, name=name, labels=labels, tracks='\n'.join(tracks))


def coco(videos: dict[str, dict]) -> dict:
    """One COCO-style file of all videos, file name -> what is in it."""
    data = dict(videos=[], images=[], annotations=[])
    data['categories'] = [dict(id=i, name=name) for i, name in enumerate(CLASSES, 1)]
    for number, (name, video) in enumerate(videos.items()):
        size = dict(width=video['width'], height=video['height'])
        length = video['frames']
        data['videos'].append(dict(id=number, file_name=name, length=length, **size))
        data['images'] += [
            dict(id=1000 * number + frame, video_id=number, frame_id=frame)
            for frame in range(length)
        ]
        for track, tube in enumerate(video['tubes']):
            for frame, (x1, y1, x2, y2) in enumerate(tube['boxes'], tube['start']):
                box = dict(
                    id=len(data['annotations']),
                    image_id=1000 * number + frame,
                    track_id=track,
                    category_id=tube['label'] + 1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                )
                data['annotations'].append(box)
    return data


def make_folder(root: Path, style: str, annotated: int, others: int) -> None:
    """Write ``videos/`` and, beside it, ``cvat/*.xml`` or ``instances.json``.

    Videos lie in folders and below, except that a CVAT export knows no folders.
    """
    known = {}
    for index in range(annotated):
        folder = '' if style == 'cvat' else f'day {index % 2}/'
        name = f'{folder}clip_{index:02d}.mp4'
        known[name] = film(root / 'videos' / name, index)
    for index in range(others):
        film(
            root / f'videos/phone/{"ab"[index % 2]}/{index:02d}.mp4', annotated + index
        )
    if style == 'cvat':
        (root / 'cvat').mkdir()
        for name, video in known.items():
            (root / 'cvat' / f'{Path(name).stem}.xml').write_text(cvat(name, video))
    else:
        (root / 'instances.json').write_text(json.dumps(coco(known)))
