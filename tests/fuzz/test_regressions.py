"""What the fuzzing found, one example each."""

import os
import pickle
import signal

import cv2
import numpy as np
import pytest
import torch

from conversion import mat_file
from conversion.ucf24_pickles import read_pickle
from conversion.values import short
from detections.coco_files import read_coco_boxes
from detections.npz_files import read_npz_boxes
from ssvad.annotations import load_annotations
from ssvad.datasets.frame_cache import FrameCacheError, read_cache, write_cache
from ssvad.datasets.frame_reader import VideoReadError, count_frames, iter_frames
from ssvad.models.reference_weights import read_state
from ssvad.video_io import write_video
from tests.datasets.test_frame_reader import encode
from tests.fuzz.mutations import json_bytes, mat_bytes, npz_bytes, pickle_bytes
from tests.fuzz.sandbox import tool
from tests.fuzz.test_detection_files import JSON, NPZ, PLAIN, TARGET
from tests.fuzz.test_frames import PICTURES


def test_a_codec_that_nobody_knows(tmp_path):
    path = tmp_path / 'v.avi'
    encode(path, 'mpeg4', 3, 0, {}, PICTURES)
    path.write_bytes(path.read_bytes().replace(b'FMP4', b'ZZZZ'))
    with pytest.raises(VideoReadError, match='v.avi: cannot decode: unknown codec'):
        count_frames(str(path))


@pytest.mark.parametrize(
    'change', [lambda raw: raw.replace(b'\0\0\x12', b'\x40\0\x12', 1), lambda raw: raw]
)
def test_damaged_pixels_of_a_png(tmp_path, change):
    cv2.imwrite(str(tmp_path / '0.png'), PICTURES[0])
    raw = bytearray(change((tmp_path / '0.png').read_bytes()))
    raw[1000] ^= 1
    (tmp_path / '0.png').write_bytes(raw)
    with pytest.raises(VideoReadError, match='0.png: cannot read this picture'):
        list(iter_frames(str(tmp_path)))


@pytest.mark.parametrize(
    'old, new',
    [
        (b'{', b'\0'),
        (b'(6, 32,', b'(6, 16,'),
        (b"'|u1'", b"'|i1'"),
        (b'3), }', b'1), }'),
    ],
)
def test_headers_of_cached_frames(tmp_path, old, new):
    video = str(tmp_path / 'v.mp4')
    write_video(video, PICTURES)
    write_cache(tmp_path, 'v', video, 6)
    path = tmp_path / 'v.npy'
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(FrameCacheError, match='v.npy: damaged'):
        read_cache(tmp_path, 'v', video, 6)


def test_a_flipped_bit_in_a_checkpoint(tmp_path):
    path = tmp_path / 'w.pth'
    torch.save({'weight': torch.full((64,), 7.0)}, path)
    seven = np.float32(7).tobytes()
    path.write_bytes(path.read_bytes().replace(seven, np.float32(8).tobytes(), 1))
    with pytest.raises(ValueError, match='w.pth: .* damaged'):
        read_state(path)


def die(path, name):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_matlab_file_that_ends_the_process(tmp_path, monkeypatch):
    path = tmp_path / 'm.mat'
    path.write_bytes(mat_bytes({'annot': [{'name': 'a/b'}]}))
    assert mat_file.load_variable(path, 'annot', 1 << 20).dtype.names == ('name',)
    monkeypatch.setattr(mat_file, '_load', die)
    with pytest.raises(ValueError, match='m.mat: damaged'):
        mat_file.load_variable(path, 'annot', 1 << 20)


@pytest.mark.parametrize('entry', [np.uint8(3), np.str_('x')])
def test_entries_that_are_no_dicts(tmp_path, entry):
    path = tmp_path / 'p.pkl'
    path.write_bytes(pickle_bytes({'a/b': entry}))
    with pytest.raises(ValueError, match='p.pkl: expected .*broken at'):
        read_pickle(path)


def test_names_of_code_are_shown_in_one_line(tmp_path):
    path = tmp_path / 'p.pkl'
    path.write_bytes(b'cos\nsys\rtem\n.')
    with pytest.raises(ValueError, match=r'p.pkl: .*refused to load os.sys.rtem'):
        read_pickle(path)


def test_numbers_and_lists_that_cannot_be_printed():
    deep = pickle.loads(pickle_bytes('DEEP', 200_000))
    assert short(deep) == 'a list too large to show'
    assert short(-(1 << 99_999)) == 'a int too large to show'


@pytest.mark.parametrize(
    'key, value', [('boxes', 0), ('names', [['a/1', 'b']]), ('names', [0, 1])]
)
def test_columns_that_are_none(tmp_path, key, value):
    path = tmp_path / 'b.npz'
    path.write_bytes(npz_bytes({**NPZ, key: np.array(value)}))
    with pytest.raises(ValueError, match=f"b.npz: expected .*'{key}'"):
        read_npz_boxes(path, TARGET)


def test_boxes_so_far_out_that_a_pixel_is_lost(tmp_path):
    path = tmp_path / 'b.npz'
    boxes = np.full((3, 4), -4e18)
    path.write_bytes(npz_bytes({**NPZ, 'boxes': boxes}))
    with pytest.raises(ValueError, match='row 0: box .* expected finite numbers up'):
        read_npz_boxes(path, TARGET)


def test_names_of_several_lines(tmp_path):
    path = tmp_path / 'b.json'
    path.write_bytes(json_bytes({**JSON, 'videos': [{'id': 5, 'name': 'a\nb'}]}))
    with pytest.raises(ValueError, match=r'expected a text as .*a\\nb'):
        read_coco_boxes(path, PLAIN)


def test_formats_of_great_length(tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(json_bytes({'format': 'x' * 9999}))
    with pytest.raises(ValueError, match='a.json') as refused:
        load_annotations(path)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize('raw', [b'', b'<viper>'])
def test_a_converter_says_which_file_and_why(tmp_path, raw):
    path = tmp_path / 'v.xgtf'
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r'v\.xgtf: no video left.*not well-formed'):
        tool('convert_ucf24.py', path, '--out', tmp_path / 'a.json')
