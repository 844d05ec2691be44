"""Writes an annotation of UCF101-24 in every format there is of it.

The annotation is ``{video: (frames, [(label, first frame, boxes)])}``: 0-based label
and frame, boxes xywh, 1-based, as in the corrected annotations.
"""

import itertools
import pickle
from xml.sax.saxutils import quoteattr

import numpy as np
from scipy.io import savemat

# Two actors, numbers that leave uint8 and uint16-sized videos.
EXAMPLE = {
    'Basketball/v_Basketball_g01_c01': (141, [(0, 8, [[189, 102, 47, 78]] * 3)]),
    'Biking/v_Biking_g01_c01': (
        300,
        [
            (2, 0, [[200, 100, 100, 60], [201, 100, 100, 60], [201, 100, 100, 60]]),
            (2, 254, [[300, 7, 20, 200], [299, 7, 20, 201]]),
        ],
    ),
    'WalkingWithDog/v_WalkingWithDog_g01_c01': (60, []),
}


def smallest(values):
    """The type MATLAB's authors chose: whichever holds the value."""
    values = np.array(values, np.int64)
    return values.astype(np.uint8 if values.max(initial=0) < 256 else np.uint16)


def write_pyannot(path, annotation, protocol=3):
    data = {}
    for video, (frames, tubes) in annotation.items():
        entries = [
            {
                'label': label,
                'sf': start,
                'ef': start + len(boxes),
                'boxes': smallest(boxes),
            }
            for label, start, boxes in tubes
        ]
        numf = smallest(frames)[()]
        data[np.str_(video)] = {'annotations': entries, 'numf': numf, 'label': 0}
    path.write_bytes(pickle.dumps(data, protocol=protocol))
    return path


def mat_struct(rows, fields):
    table = np.zeros((1, len(rows)), [(field, object) for field in fields])
    for index, row in enumerate(rows):
        table[0, index] = row
    return table


def write_mat(path, annotation):
    videos = []
    for video, (frames, tubes) in annotation.items():
        rows = []
        for label, start, boxes in tubes:
            numbers = start + len(boxes), start + 1, label + 1, boxes
            rows.append(tuple(map(smallest, numbers)))
        tubes = mat_struct(rows, ('ef', 'sf', 'class', 'boxes'))
        videos.append((smallest(frames), video, tubes))
    table = mat_struct(videos, ('num_imgs', 'name', 'tubes'))
    savemat(path, {'annot': table}, do_compression=True)
    return path


def split_items(annotation, flag=1):
    """As the released code makes them: start and inclusive end counted from 0."""
    items = []
    for video, (_, tubes) in annotation.items():
        rows = []
        for label, start, boxes in tubes:
            end = smallest(start + len(boxes) - 1)[()]
            row = [smallest(start)[()], end, np.uint8(label)]
            row += [
                np.array(boxes, np.int32, order='F').reshape(-1, 4),
                [start, int(end)],
            ]
            rows.append(tuple(row) if flag is None else [*row, flag])
        items.append((video, rows))
    return items


def write_split_pickle(path, annotation, flag=1, protocol=5):
    path.write_bytes(pickle.dumps(split_items(annotation, flag), protocol=protocol))
    return path


XML = """<?xml version="1.0" encoding="UTF-8"?>
<viper xmlns="http://lamp.cfar.umd.edu/viper#"
       xmlns:data="http://lamp.cfar.umd.edu/viperdata#">
<config><descriptor name="PERSON" type="OBJECT"/></config>
<data><sourcefile filename="a.avi">
<file id="0" name="Information">
<attribute name="NUMFRAMES"><data:dvalue value="{frames}"/></attribute></file>
{objects}
</sourcefile></data></viper>
"""
OBJECT = """<object framespan="{span}" id="{index}" name="PERSON">
<attribute name="Location">{boxes}</attribute>
<attribute name={name}><data:bvalue framespan="{span}" value="true"/></attribute>
<attribute name="Other"><data:bvalue framespan="{span}" value="false"/></attribute>
</object>"""


def xml_text(video, frames, tubes, name=None):
    name = quoteattr(name or video.split('/')[0])
    objects = []
    for index, (_, start, boxes) in enumerate(tubes):
        first, texts = start + 1, []
        for (x, y, w, h), group in itertools.groupby(boxes):
            last = first + len(list(group)) - 1
            texts.append(
                f'<data:bbox framespan="{first}:{last}" height="{h}" width="{w}" '
                f'x="{x - 1}" y="{y - 1}"/>'
            )
            first = last + 1
        span, boxes = f'{start + 1}:{first - 1}', '\n'.join(texts)
        objects.append(OBJECT.format(span=span, index=index, name=name, boxes=boxes))
    return XML.format(frames=frames, objects='\n'.join(objects))


def write_xml_folder(folder, annotation):
    for video, (frames, tubes) in annotation.items():
        path = folder / f'{video}.xgtf'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(xml_text(video, frames, tubes))
    return folder
