"""Annotations that are wrong: what each entry point says, or does, about them.

Refused by ``load_annotations`` and ``save_annotations``, with file, video, tube, frame
and value: tests/test_annotation_checks.py (boxes out of the frame, without area,
inverted, NaN, infinite; tubes that leave the video; labels out of range; ids that occur
twice; absolute and ``..`` paths) and tests/test_annotations.py (other files, deep
nesting, damaged mask files, pickles in them; odd and Unicode names round trip).

Refused, or resolved and counted, by the converters:

* boxes out of the frame, without area, inverted, tubes past the end:
  test_conversion_tracks.py (COCO, CVAT), test_convert_ucf24.py (``irregular_tubes``);
* fewer boxes than frames: test_convert_ucf24.py; x + w that overflows 8 bits, boxes
  counted from 1: the same (``without_wrapping``, ``inclusive_iou``) and, for all
  sources, test_ucf24_sources.py;
* values that are no numbers, NaN, unknown classes, duplicates: ``malformed`` of
  test_convert_ucf24.py, test_ucf24_sources.py, test_ucf24_xml.py, test_convert_coco.py,
  test_convert_cvat.py, test_convert_jhmdb21.py (masks, lists);
* malicious pickles: test_convert_ucf24_pickle.py; XML entities: test_safe_xml.py;
  MATLAB files that unpack to too much: test_ucf24_sources.py.

All of them at once are told by tools/check_dataset.py: test_check_dataset.py. What
follows is the rest.
"""

import json
import pickle
import tracemalloc
import zipfile
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from scipy.io import savemat

import convert_coco
import convert_cvat
import convert_jhmdb21
import convert_ucf24
import make_split
from conversion.findings import Findings
from conversion.plain_pickle import load_plain
from detections import npz_files
from ssvad.annotations import (
    load_annotations,
    load_masks,
    read_split,
    save_annotations,
    save_masks,
    write_split,
)
from ssvad.files import MAX_BYTES
from ssvad.video_io import write_video
from tests.tools.test_convert_coco import COCO, changed
from tests.tools.test_convert_cvat import export
from tests.tools.test_ucf24_xml import read as read_xml
from tests.tools.test_ucf24_xml import text as xml_text

SIZE = {'width': 320, 'height': 240, 'num_frames': 20}
GOOD = [10, 20, 30, 40]
ODD = 'a b/é ü/クリップ #1 100%d?*[x]&=+~ (عربي) 🤸 v1.2'


def video(boxes, **fields):
    tube = {'label': 0, 'start': 3, 'boxes': boxes}
    return {'id': 'v', 'file': 'v.mp4', **SIZE, 'tubes': [tube], **fields}


@contextmanager
def little_memory(megabytes=8):
    """What is done within must never hold more memory at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize('box, message', [
    # x + w = 300 and y + h = 260 without the 256 that uint8 lost
    ([200, 10, 44, 60], r'did x \+ width overflow 8 bits\? .* got \[200.0, 10.0, 44.0'),
    ([200, 60, 44, 4], 'must have x1 < x2 and y1 < y2, got'),
    ([300, 10, 290, 60], 'must have x1 < x2 and y1 < y2, got'),
    ([1, 1, 321, 240], 'frame of 320 x 240; clip it, or subtract 1 from all'),
    ([0, 1, 321, 240], 'within the frame of 320 x 240; clip it, got'),
    ([1, 1, 340, 241], 'within the frame of 320 x 240; clip it, got'),
])  # fmt: skip
def test_numbers_that_wrapped_or_count_from_one_are_guessed(tmp_path, box, message):
    with pytest.raises(ValueError, match='v.*tube 0: frame 4: .*' + message):
        save_annotations(tmp_path / 'a.json', ['x'], [video([GOOD, box])])


def test_many_bad_boxes_of_a_tube_are_counted(tmp_path):
    boxes = [GOOD, [5, 5, 5, 9], GOOD, [6, 6, 9, 6], [7, 7, 7, 7]]
    with pytest.raises(ValueError, match='frame 4: .* without area .*; so are 2 more'):
        save_annotations(tmp_path / 'a.json', ['x'], [video(boxes)])


@pytest.mark.parametrize('key', ['width', 'height', 'num_frames'])
def test_numbers_that_would_fill_the_memory_are_refused(tmp_path, key):
    with pytest.raises(ValueError, match=f"'{key}' must be at most .*, got 1000000000"):
        save_annotations(tmp_path / 'a.json', ['x'], [video([GOOD], **{key: 10**9})])
    assert not (tmp_path / 'a.json').exists()


def test_a_long_value_is_cut_in_the_message(tmp_path):
    with pytest.raises(ValueError, match="'tubes' must be a list") as caught:
        save_annotations(tmp_path / 'a.json', ['x'], [video([], tubes='x' * 10**6)])
    assert len(str(caught.value)) < 1000


def test_odd_names_go_through_everything(tmp_path):
    frames = np.full((4, 16, 32, 3), 90, np.uint8)
    names = [f'{ODD}/{n}' for n in range(4)]
    fields = dict(width=32, height=16, num_frames=4)
    videos = [
        video([[0, 0, 9, 9]], id=name, file=f'{name}.mp4', **fields) for name in names
    ]
    for item in videos:
        item['tubes'][0]['start'] = 0
        write_video(tmp_path / 'videos' / item['file'], frames)
    ann, train = tmp_path / 'é.json', tmp_path / 'ü ü.txt'
    save_annotations(ann, ['x'], videos)
    write_split(train, names)
    arguments = ['--train', train, '--count', 2, '--seed', 0, '--out-dir', tmp_path]
    make_split.main([str(ann), *map(str, arguments)])
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(
            dict(
                type='TubeDataset',
                ann_file=str(ann),
                split_file=str(tmp_path / 'labeled.txt'),
                data_prefix=dict(video=str(tmp_path / 'videos')),
                pipeline=[
                    dict(type='SampleWholeVideo', clip_len=4, frame_interval=1),
                    dict(type='OpenVideo'),
                    dict(type='DecordDecode'),
                ],
            )
        )
    assert len(dataset) == 2
    assert {dataset[i]['video_id'] for i in range(2)} < set(names)
    assert len(dataset[0]['imgs']) == 4


@pytest.mark.parametrize('name', ['/etc/passwd', '../v', 'a/../../v', 'C:/v', 'a\\v'])
def test_converters_open_no_file_outside_the_folder(tmp_path, name, monkeypatch):
    opened = []
    monkeypatch.setattr('conversion.videos.count_frames', opened.append)
    for folder in ('videos', 'pickled'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'v.avi').touch()
    tube = {'label': 0, 'sf': 0, 'ef': 1, 'boxes': [[1, 1, 5, 5]]}
    entry = {'annotations': [tube], 'numf': 9, 'label': 0}
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps({name: entry}))
    (tmp_path / 'a.json').write_text(json.dumps(changed(['videos', 0, 'name'], name)))
    for tool, source in ((convert_ucf24, 'a.pkl'), (convert_coco, 'a.json')):
        for more in ([], ['--video-root', str(tmp_path / 'videos')]):
            out = tmp_path / 'out.json'
            with pytest.raises(
                ValueError, match="path relative to .*without '..'|name in 'classes'"
            ):
                tool.main([str(tmp_path / source), '--out', str(out), *more])
            assert not out.exists()
    assert not opened


def test_a_server_s_path_in_a_cvat_export_loses_its_folders(tmp_path):
    path, out = tmp_path / 'a.xml', tmp_path / 'out.json'
    path.write_text(export().replace('clip.mp4', '/data/../secret/clip.mp4'))
    convert_cvat.main([str(path), '--out', str(out)])
    assert load_annotations(out)['videos'][0]['file'] == 'clip.mp4'


def test_two_videos_of_one_name_are_refused(tmp_path):
    data = changed(['videos', 1, 'name'], COCO['videos'][0]['name'])
    (tmp_path / 'a.json').write_text(json.dumps(data))
    arguments = [str(tmp_path / 'a.json'), '--out', str(tmp_path / 'out.json')]
    with pytest.raises(ValueError, match=r"video 1: id 'sub/a' occurs twice, video 0"):
        convert_coco.main(arguments)
    (tmp_path / 'a.xml').write_text(export())
    (tmp_path / 'b.xml').write_text(export())
    arguments[:1] = [str(tmp_path / f'{name}.xml') for name in 'ab']
    with pytest.raises(
        ValueError, match=r"b\.xml: video 'clip' stands in .*a\.xml too"
    ):
        convert_cvat.main(arguments)


@pytest.mark.parametrize('read', [
    load_annotations,
    read_split,
    convert_ucf24.read_testlist,
    convert_jhmdb21.read_split_file,
    lambda path: convert_coco.read_coco(path, Findings()),
])  # fmt: skip
def test_text_files_are_bounded_and_utf_8(tmp_path, read):
    path = tmp_path / 'a.txt'
    with path.open('wb') as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    with little_memory(), pytest.raises(ValueError, match=r'a\.txt: 5\d+ bytes, exp'):
        read(path)
    path.write_bytes('é'.encode('latin1'))
    with pytest.raises(ValueError, match=r'a\.txt: not a UTF-8 text file'):
        read(path)


def test_mask_files_that_unpack_to_too_much_are_not_unpacked(tmp_path):
    path, shape = tmp_path / 'a.npz', (3, 4, 6)
    bits = np.zeros((1 << 26, 1), np.uint8)
    np.savez_compressed(path, bits=bits, shape=np.array(shape))
    assert path.stat().st_size < 1 << 18
    del bits
    with little_memory(), pytest.raises(ValueError, match=r'a\.npz: .*unpacks to 6710'):
        load_masks(path, np.array([0]), shape)
    # a header that promises more than there is
    save_masks(path, np.ones(shape))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts['bits.npy'] = parts['bits.npy'].replace(b'(3, 3), }     ', b'(99999999,), }')
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(
        ValueError, match=r'a\.npz: not an npz mask.*expected 262144 bytes got 9'
    ):
        load_masks(path, np.array([0]), shape)


def test_detections_that_unpack_to_too_much_are_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / 'boxes.npz'
    np.savez_compressed(path, frame=np.zeros(1 << 24, np.uint8))
    monkeypatch.setattr(npz_files, 'LIMIT', 1 << 20)
    target = SimpleNamespace()
    with (
        little_memory(),
        pytest.raises(ValueError, match=r'boxes\.npz: .*unpacks to 16'),
    ):
        npz_files.read_npz_boxes(path, target)


def test_mask_matrices_that_unpack_to_too_much_are_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / 'puppet_mask.mat'
    content = {'part_mask': np.zeros((1 << 12, 1 << 13), np.uint8)}
    savemat(path, content, do_compression=True)
    del content
    assert path.stat().st_size < 1 << 18
    monkeypatch.setattr(convert_jhmdb21, 'MAX_BYTES', 1 << 20)
    with little_memory(), pytest.raises(ValueError, match='holds more than 1048576'):
        convert_jhmdb21.load_part_mask(path)


LARGE = (1 << 25).to_bytes(8, 'little')
BOMBS = {
    'memo': b'\x80\x02Nr' + LARGE[:4] + b'.',
    'memo, as text': b'Np%d\n.' % (1 << 24),
    'bytes': b'\x80\x04\x8e' + LARGE + b'.',
    'text': b'\x80\x04\x8d' + LARGE + b'.',
    'bytearray': b'\x80\x05\x96' + LARGE + b'.',
    'frame': b'\x80\x04\x95' + LARGE + b'N.',
    'number': b'\x80\x02\x8b' + LARGE[:4] + b'.',
}


@pytest.mark.parametrize('name', BOMBS)
def test_pickles_get_no_more_memory_than_they_have_bytes(tmp_path, name):
    (tmp_path / 'a.pkl').write_bytes(BOMBS[name])
    with little_memory():
        try:
            load_plain(tmp_path / 'a.pkl')
        except ValueError as error:
            assert 'a.pkl: cannot be read as a pickle' in str(error)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_bytearrays_of_a_pickle_are_whole(tmp_path, protocol):
    array = np.arange(500, dtype=np.uint16).reshape(125, 4)
    for data in (array, np.asfortranarray(array), array[:0]):
        (tmp_path / 'a.pkl').write_bytes(pickle.dumps(data, protocol))
        assert np.array_equal(load_plain(tmp_path / 'a.pkl'), data)


def test_frame_spans_of_an_xml_file_are_bounded(tmp_path):
    boxes = [(1, 99_999, x) for x in range(11)]
    with pytest.raises(ValueError, match=r'g01\.xgtf: .*framespans of 1099992 frames'):
        read_xml(tmp_path, xml_text(boxes=boxes))
    tubes, _, _ = read_xml(tmp_path, xml_text(boxes=boxes[:1]))
    assert [tube[:2] for tube in tubes] == [(2, 5)]
