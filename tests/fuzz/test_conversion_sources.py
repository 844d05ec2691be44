"""What the converters are given: COCO, CVAT and THUMOS files, pickles, MATLAB files.

A converter either says in one line what is wrong with the file and writes nothing, or
writes an annotation file that passes all checks.
"""

import json

import numpy as np
import pytest
from hypothesis import strategies as st

from ssvad.annotations import load_annotations
from tests.fuzz.mutations import (
    ODD_NUMPY,
    check_sound,
    damaged,
    fuzz,
    json_bytes,
    mat_bytes,
    pickle_bytes,
    spoilt,
)
from tests.fuzz.sandbox import attempt, tool
from tests.tools.foreign_formats import EXAMPLE, split_items, write_mat, xml_text

COCO = {
    'categories': [{'id': 4, 'name': 'run'}, {'id': 2, 'name': 'jump'}],
    'videos': [
        {'id': 1, 'file_name': 'a/b.mp4', 'width': 64, 'height': 48, 'length': 5},
        {'id': 7, 'name': 'c.avi'},
    ],
    'images': [
        *({'id': i, 'video_id': 1, 'frame_id': i} for i in range(3)),
        {'id': 9, 'video_id': 7, 'frame_index': 2, 'width': 320, 'height': 240},
    ],
    'annotations': [
        *(
            dict(id=i, image_id=i, category_id=2, track_id=5, bbox=[1, 2, 30.5, 9])
            for i in (0, 1)
        ),
        dict(id=3, image_id=9, category_id=4, instance_id='x', bbox=[0, 0, 1, 1]),
    ],
}
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name><size>9</size>
<start_frame>0</start_frame><stop_frame>8</stop_frame><labels><label><name>jump</name>
</label></labels><original_size><width>64</width><height>48</height></original_size>
<source>a.mp4</source></task></meta>
<track id="0" label="jump" source="manual">
<box frame="2" outside="0" xtl="1.5" ytl="2" xbr="30" ybr="40"/>
<box frame="3" outside="0" xtl="1.5" ytl="2" xbr="30" ybr="40"/>
<box frame="4" outside="1" xtl="1.5" ytl="2" xbr="30" ybr="40"/></track></annotations>
"""
NAME = 'Biking/v_Biking_g01_c01'
VIPER = xml_text(NAME, *EXAMPLE[NAME])
PYANNOT = {
    NAME: {
        'annotations': [
            {
                'label': 2,
                'sf': 3,
                'ef': 5,
                'boxes': np.array([[200, 100, 99, 60]] * 2, np.uint8),
            }
        ],
        'numf': np.uint16(300),
        'label': 2,
    }
}
SPLIT = [
    [name, [[*row[:3], row[3].copy('C'), *row[4:]] for row in rows]]
    for name, rows in split_items(EXAMPLE)
]
MAT = {
    'annot': [
        {
            'name': NAME,
            'num_imgs': np.uint16([[300]]),
            'tubes': [
                {'sf': 4, 'ef': 5, 'class': 3, 'boxes': np.full((2, 4), 9, np.uint8)}
            ],
        }
    ]
}
XML_TEXTS = st.sampled_from(
    [
        '',
        '-1',
        '1e999',
        'nan',
        '99999',
        '999999999',
        '0:99999',
        '2:1',
        '../x',
        '1' * 5000,
    ]
    + ['٣', '&lol;', '<a/>', '"', '" a="', '>', 'box', '1 2', '_', '&#55296;', '/']
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz')


def convert(reader, script, source, raw, *options):
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(raw)
    out = source.parent / 'out.json'
    out.unlink(missing_ok=True)
    args = script, source, '--out', out, *options
    if attempt(reader, tool, args, source.name, out.name):
        check_sound(load_annotations(out))
    else:
        assert not out.exists()


@fuzz(100, tree=spoilt(COCO))
def test_coco_of_another_structure(folder, tree):
    convert('COCO JSON', 'convert_coco.py', folder / 'c.json', json_bytes(tree))


@fuzz(30, raw=damaged(json.dumps(COCO).encode()), gap=st.sampled_from([0, 9]))
def test_coco_of_other_bytes(folder, raw, gap):
    path = folder / 'c.json'
    convert('COCO JSON', 'convert_coco.py', path, raw, '--max-gap', gap)


@st.composite
def spoilt_xml(draw, text):
    """Words, values and elements of an XML text replaced by odd ones."""
    for _ in range(draw(st.integers(1, 3))):
        ends = [i for i, c in enumerate(text) if c in '<>"= \n']
        first = draw(st.integers(0, len(ends) - 2))
        a = ends[first] + 1
        b = ends[min(first + draw(st.integers(1, 4)), len(ends) - 1)]
        other = draw(st.integers(0, len(ends) - 2))
        piece = draw(XML_TEXTS | st.just(text[ends[other] + 1 : ends[other + 1]]))
        text = text[:a] + piece + text[b:]
    return text.encode()


@fuzz(80, raw=spoilt_xml(CVAT) | damaged(CVAT.encode()), gap=st.sampled_from([0, 99]))
def test_cvat(folder, raw, gap):
    path = folder / 'cvat.xml'
    convert('CVAT XML', 'convert_cvat.py', path, raw, '--max-gap', gap)


@fuzz(80, raw=spoilt_xml(VIPER) | damaged(VIPER.encode()))
def test_thumos_xml(folder, raw):
    path = folder / f'{NAME}.xgtf'
    convert('THUMOS XML', 'convert_ucf24.py', path, raw)


@fuzz(80, tree=spoilt(PYANNOT, ODD_NUMPY))
def test_pyannot_of_another_structure(folder, tree):
    convert('UCF pickle', 'convert_ucf24.py', folder / 'p.pkl', pickle_bytes(tree))


@fuzz(40, raw=damaged(pickle_bytes(PYANNOT)))
def test_pyannot_of_other_bytes(folder, raw):
    convert('UCF pickle', 'convert_ucf24.py', folder / 'p.pkl', raw)


@pytest.fixture(scope='module')
def lengths(folder):
    path = folder / 'lengths.pkl'
    names = {name: {'annotations': [], 'numf': n} for name, (n, _) in EXAMPLE.items()}
    path.write_bytes(pickle_bytes(names))
    return '--lengths', path


@fuzz(80, tree=spoilt(SPLIT, ODD_NUMPY))
def test_split_pickles_of_another_structure(folder, lengths, tree):
    path = folder / 's.pkl'
    convert('split pickle', 'convert_ucf24.py', path, pickle_bytes(tree), *lengths)


@fuzz(40, raw=damaged(pickle_bytes(SPLIT)))
def test_split_pickles_of_other_bytes(folder, lengths, raw):
    convert('split pickle', 'convert_ucf24.py', folder / 's.pkl', raw, *lengths)


@fuzz(60, tree=spoilt(MAT, ODD_NUMPY))
def test_mat_of_another_structure(folder, tree):
    convert('MATLAB file', 'convert_ucf24.py', folder / 'm.mat', mat_bytes(tree))


@pytest.fixture(scope='module')
def mat(folder):
    return write_mat(folder / 'whole.mat', EXAMPLE).read_bytes()


@fuzz(80, data=st.data())
def test_mat_of_other_bytes(folder, mat, data):
    raw = data.draw(damaged(mat))
    convert('MATLAB file', 'convert_ucf24.py', folder / 'm.mat', raw)
