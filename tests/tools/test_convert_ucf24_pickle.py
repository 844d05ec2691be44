"""Reading a pickle from outside must never run what it asks for."""

import os
import pickle
import struct
from collections.abc import Hashable

import numpy as np
import pytest

from conversion.plain_pickle import load_plain
from conversion.ucf24_pickles import read_pickle

BOXES = [[5, 5, 9, 9], [300, 7, 9, 9]]


class Attack:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class HiddenBuild:
    def __reduce__(self):
        return np.ndarray.__new__, (np.ndarray, (1,))


def holders(attack):
    """The places of both kinds of files in which an attack may sit."""
    yield {'Dive/v': attack}
    if isinstance(attack, Hashable):
        yield {attack: 1}
    yield [('Dive/v', [(0, 1, 2, attack, [0], 1)])]
    yield [('Dive/v', [(0, 1, 2, np.zeros((2, 4)), [0], attack)])]


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_malicious_pickle_does_nothing(tmp_path, protocol):
    trace = tmp_path / 'trace'
    code = f'open({str(trace)!r}, "w")'
    attacks = [
        Attack(os.system, f'touch {trace}'),
        Attack(eval, code),
        Attack(exec, code),
        Attack(open, str(trace), 'w'),
        Attack(getattr, 'a', 'upper'),
        Attack(np.memmap, str(trace), 'uint8', 'w+', 0, (4,)),
        Attack(np.save, str(trace), 1),
        Attack(np.dtype, 'O'),
        Attack(np.dtype, [('a', 'O')]),
        Attack(np.dtype, 'i4,O'),
        Attack(np.ndarray, (4,)),
        Attack(pickle.loads, b'N.'),
        HiddenBuild(),
        np.array([None], dtype=object),
        np.zeros(2, [('a', 'i4')]),
        np.datetime64('2020-01-01'),
    ]
    for attack in attacks:
        for data in holders(attack):
            (tmp_path / 'a.pkl').write_bytes(pickle.dumps(data, protocol=protocol))
            with pytest.raises(ValueError, match=r'a\.pkl: .*(refused|callable)'):
                read_pickle(tmp_path / 'a.pkl')
            assert [p.name for p in tmp_path.iterdir()] == ['a.pkl']


def by_hand(state, build_array=True, code='i8'):
    """A pickle of an array whose data type is told what ``state`` says."""
    dtype = b'cnumpy\ndtype\n' + pickle.dumps((code, False, True), 2)[2:-1] + b'R'
    dtype += pickle.dumps(state, 2)[2:-1] + b'b'
    if not build_array:
        return b'\x80\x02' + dtype + b'.'
    head = b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n'
    head += pickle.dumps((0,), 2)[2:-1] + b'U\x01btR'
    raw = struct.pack('<q', 0x41414141)
    return head + b'(K\x01K\x01\x85' + dtype + b'\x89U\x08' + raw + b'tb.'


def test_flags_that_make_numbers_into_pointers_are_not_believed(tmp_path):
    """With NumPy's own data type, 63 would make the eight bytes an object pointer."""
    plain = np.dtype('i8', False, True)
    plain.__setstate__((3, '<', None, None, None, -1, -1, 63))
    assert plain.hasobject  # what is defended against is real
    file = tmp_path / 'a.pkl'
    file.write_bytes(by_hand((3, '<', None, None, None, -1, -1, 63)))
    array = load_plain(file)
    assert not array.dtype.hasobject
    assert array.tolist() == [0x41414141]


@pytest.mark.parametrize('state', [
    (3, '<', None, ('a',), {'a': (1, 0)}, 8, 1, 0),
    (3, '<', (1, (2,)), None, None, 8, 1, 0),
    (3, 'O', None, None, None, -1, -1, 0),
    (3,),
    'text',
])  # fmt: skip
def test_other_states_of_a_data_type_are_refused(tmp_path, state):
    file = tmp_path / 'a.pkl'
    for build_array in (True, False):
        file.write_bytes(by_hand(state, build_array))
        with pytest.raises(ValueError, match=r'a\.pkl: cannot be read'):
            load_plain(file)


@pytest.mark.parametrize('state', [
    (1, (2,), None, False, b'\0' * 8),
    (1, (-1,), None, False, b''),
    (1, (2,), None, False, [1, 2]),
    (1, 2, None, False, b'\0' * 16),
])  # fmt: skip
def test_arrays_that_do_not_fit_their_bytes_are_refused(tmp_path, state):
    whole = pickle.dumps(np.zeros(2, np.int64), 2)
    _, shape, _, fortran, raw = state
    start = whole.index(b'cnumpy\ndtype')
    end = whole.index(b'b', whole.index(b'N', start)) + 1
    dtype = whole[start:end]
    head = b'\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n'
    body = pickle.dumps(shape, 2)[2:-1] + dtype + pickle.dumps(fortran, 2)[2:-1]
    body += (
        b'U' + bytes([len(raw)]) + raw if isinstance(raw, bytes) else b'](K\x01K\x02e'
    )
    file = tmp_path / 'a.pkl'
    file.write_bytes(head + b'K\x00\x85U\x01btR(K\x01' + body + b'tb.')
    with pytest.raises(ValueError, match=r'a\.pkl: .*refused'):
        load_plain(file)


def test_names_that_are_allowed_cannot_be_changed(tmp_path):
    """BUILD sets attributes of whatever lies on the stack, also of a function."""
    for name in ('core.multiarray\nscalar', 'core.multiarray\n_reconstruct'):
        raw = b'\x80\x02cnumpy.' + name.encode() + b'\n'
        raw += b'N' + pickle.dumps({'evil': 1}, 2)[2:-1] + b'\x86b.'
        (tmp_path / 'a.pkl').write_bytes(raw)
        with pytest.raises(ValueError, match='cannot be read'):
            load_plain(tmp_path / 'a.pkl')


ARRAYS = [
    np.array(BOXES, np.uint16),
    np.asfortranarray(np.array(BOXES, np.int32)),
    np.array(BOXES, '>i8')[:, ::-1],
    np.zeros((0, 4), np.uint8),
    np.array(3.5),
    np.array(['a', 'bcd']),
    np.array([True, False]),
]


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_plain_data_is_read(tmp_path, protocol):
    file = tmp_path / 'a.pkl'
    data = [np.str_('Dive/v'), np.uint8(7), np.float64(0.5), {'a': (1, [2, 'b'])}, b'x']
    file.write_bytes(pickle.dumps([ARRAYS, data], protocol=protocol))
    arrays, rest = load_plain(file)
    assert rest == data
    for array, expected in zip(arrays, ARRAYS):
        # NumPy brings the order of bytes to that of the machine
        assert array.dtype == expected.dtype.newbyteorder('=')
        assert array.shape == expected.shape
        np.testing.assert_array_equal(array, expected)


def test_other_modules_and_python_2_are_read(tmp_path):
    """Names and texts as old NumPy and Python 2 wrote them."""
    raw = b'\x80\x02]cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n'
    raw += b'U\x02u1K\x00K\x01\x87R'
    raw += b'(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb'
    raw += b'U\x01\xc8\x86Ra.'
    (tmp_path / 'a.pkl').write_bytes(raw)
    assert load_plain(tmp_path / 'a.pkl') == [200]
    new = pickle.dumps(np.arange(3), 5).replace(b'numpy._core.', b'numpy.core.')
    new = new.replace(b'\x8c\x13numpy.core', b'\x8c\x12numpy.core')
    start = new.index(b'\x95')
    new = new[:start] + new[start + 9 :]  # without the frame, whose length changed
    (tmp_path / 'a.pkl').write_bytes(new)
    assert load_plain(tmp_path / 'a.pkl').tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    'data', [7, 'a', {'a': 3}, {'a': {}}, {'a': {'annotations': [{}], 'numf': 3}}]
)
def test_other_pickles_are_refused(tmp_path, data):
    file = tmp_path / 'a.pkl'
    file.write_bytes(pickle.dumps(data))
    with pytest.raises(ValueError, match=r'a\.pkl: '):
        read_pickle(file)


@pytest.mark.parametrize('raw', [b'', b'text', b'\x80\x02}', b'\0' * 50])
def test_damaged_pickles_are_refused(tmp_path, raw):
    (tmp_path / 'a.pkl').write_bytes(raw)
    with pytest.raises(ValueError, match=r'a\.pkl: cannot be read'):
        read_pickle(tmp_path / 'a.pkl')


def test_large_pickles_are_not_opened(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([0] * 100))
    with pytest.raises(ValueError, match='a.pkl: 2.. bytes, expected at most 100'):
        load_plain(tmp_path / 'a.pkl', limit=100)
