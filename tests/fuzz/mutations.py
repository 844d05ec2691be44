"""Strategies that spoil a valid file: its structure, or its bytes."""

import copy
import io
import json
import os
import pickle

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

TIMES = int(os.environ.get('SSVAD_FUZZ', 0)) or 1
# Stands for lists in lists, deeper than Python can print.
DEEP = 'DEEP'
# Stands for a number of more digits than Python prints.
HUGE = 'HUGE'
NUMBERS = [0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, 255, 256, 65535, 65536]
NUMBERS += [2**31, 2**53 + 1, 2**63, 2**64, 10**30, -(10**400), 9_999_999]
NUMBERS += [float('nan'), float('inf'), -float('inf')]
TEXTS = ['', ' ', '.', '..', '../x', 'a/../../x', '/etc/passwd', 'C:\\x', '\\\\x\\y']
TEXTS += ['a\nb', 'a\rb', '\0', '\ud800', '\u202e', 'é', '#x', ' x', 'x' * 300, '1']
TEXTS += ['nan', '1e999', '٣', '1_0', '%s{}', '<b>']
OTHERS = [None, True, False, [], {}, [[]], [None], {'': 0}, [[1, 2], [3]], DEEP]
ODD = st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.sampled_from(OTHERS)
NUMPY = [np.uint8(255), np.int64(-1), np.float32('nan'), np.float64(1e300)]
NUMPY += [np.zeros(0), np.zeros((0, 4)), np.zeros((2, 5)), np.array(3)]
NUMPY += [np.array(['a', 'b']), np.array([[np.nan] * 4]), np.zeros((1, 1, 1, 1))]
NUMPY += [np.array([b'a']), np.bool_(True), np.str_('../x'), b'\xff', b'', HUGE]
ODD_NUMPY = ODD | st.sampled_from(NUMPY)
ARRAYS = [
    lambda a: a.T,
    lambda a: a[:1],
    lambda a: a[:0],
    lambda a: a.ravel(),
    lambda a: a[None],
    lambda a: a.astype('f8') * np.nan,
    lambda a: a.astype('f8') * 1e200,
    lambda a: a.astype('i8') - 2**62,
    lambda a: a.astype('u8') + np.uint64(2**63),
    lambda a: a.astype('c16'),
    lambda a: a.astype('U9'),
    lambda a: a.astype('?'),
    lambda a: np.concatenate([a, a]),
    lambda a: a[..., ::-1],
    lambda a: a.astype('f4') + 0.5,
]


def fuzz(inputs=40, **strategies):
    """A test of so many inputs, more of them with ``SSVAD_FUZZ``."""

    def decorate(test):
        checked = settings(
            max_examples=inputs * TIMES,
            deadline=None,
            # files of one test may share a name
            suppress_health_check=list(HealthCheck),
        )
        return checked(given(**strategies)(test))

    return decorate


@st.composite
def spoilt(draw, tree, odd=ODD):
    """A tree of dicts and lists with one to three things wrong."""
    root = [copy.deepcopy(tree)]
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(root))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        act = draw(st.sampled_from(['replace', 'replace', 'remove', 'again', 'move']))
        value = holder[key]
        numbers = isinstance(value, np.ndarray) and value.dtype.kind in 'iuf'
        if act == 'replace' and numbers and value.ndim:
            value = draw(st.sampled_from(ARRAYS))(value)
        elif act == 'replace':
            value = copy.deepcopy(draw(odd))
        elif act == 'move':
            other, place = places[draw(st.integers(0, len(places) - 1))]
            value = copy.deepcopy(other[place])
        if act == 'remove' and holder is not root:
            del holder[key]
        elif act == 'again' and holder is not root and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(value))
        else:
            holder[key] = value
    return root[0]


def _places(tree):
    keys = tree if isinstance(tree, dict) else range(len(tree))
    for key in list(keys):
        yield tree, key
        if isinstance(tree[key], (dict, list)):
            yield from _places(tree[key])


def json_bytes(tree, depth=900):
    text = json.dumps(tree)
    return text.replace(f'"{DEEP}"', '[' * depth + ']' * depth).encode()


def pickle_bytes(tree, depth=20_000):
    raw = pickle.dumps(tree, protocol=2)
    deep = b']' * depth + b'a' * (depth - 1)
    huge = b'\x8b\0\x20\0\0' + b'\1' * 8192
    raw = raw.replace(b'X\4\0\0\0' + DEEP.encode(), deep)
    return raw.replace(b'X\4\0\0\0' + HUGE.encode(), huge)


@st.composite
def damaged(draw, raw):
    """Bytes of which some are changed, lost, or too much."""
    raw = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        size = len(raw)
        at = draw(
            st.integers(0, size)
            | st.integers(0, min(size, 200))
            | st.integers(max(size - 200, 0), size)
        )
        act = draw(st.integers(0, 6))
        if act == 0:
            del raw[at:]
        elif act == 1:
            del raw[at : at + draw(st.integers(1, 64))]
        elif act == 2:
            raw[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif act == 3:
            raw[at:at] = raw[at : at + draw(st.integers(1, 400))]
        elif act == 4:
            number = draw(st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**16]))
            raw[at : at + 4] = number.to_bytes(
                4, draw(st.sampled_from(['little', 'big']))
            )
        elif at < size:
            raw[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(raw)


def npz_bytes(arrays):
    """An npz of whatever is a dict; objects become pickles, which nobody may run."""
    buffer = io.BytesIO()
    arrays = arrays if isinstance(arrays, dict) else {'x': arrays}
    columns = {}
    for name, value in arrays.items():
        try:
            columns[name] = np.asarray(value)
        except ValueError:
            columns[name] = np.array([value, None], object)
    np.savez_compressed(buffer, **columns)
    return buffer.getvalue()


def mat_bytes(tree):
    """A MATLAB file of dicts (structures), lists of them, arrays and texts."""
    buffer = io.BytesIO()
    tree = tree if isinstance(tree, dict) else {'annot': tree}
    try:
        savemat(buffer, {k: _matlab(v) for k, v in tree.items()}, do_compression=True)
    # what cannot be a MATLAB file
    except Exception:
        savemat(buffer, {'annot': 0})
    return buffer.getvalue()


def _matlab(value):
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        return 0 if value is None else value
    fields = list(dict.fromkeys(key for row in value for key in row)) or ['a']
    table = np.zeros((1, len(value)), [(field or '_', object) for field in fields])
    for index, row in enumerate(value):
        table[0, index] = tuple(_matlab(row.get(field, 0)) for field in fields)
    return table


def check_sound(data):
    """Rules of the annotation file, written a second time."""
    for video in data['videos']:
        parts = video['file'].split('/')
        assert '..' not in parts and parts[0] and parts[0][1:2] != ':'
        size = np.array([video['width'], video['height']] * 2)
        for tube in video['tubes']:
            boxes = np.array(tube['boxes'], float).reshape(-1, 4)
            assert (boxes >= 0).all() and (boxes <= size).all()
            assert (boxes[:, :2] < boxes[:, 2:]).all()
            assert 0 <= tube['label'] < len(data['classes']) and tube['start'] >= 0
            assert 0 < len(boxes) <= video['num_frames'] - tube['start']
