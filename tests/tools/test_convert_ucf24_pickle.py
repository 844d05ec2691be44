"""Reading pyannot.pkl must never run what a pickle asks for."""

import importlib.util
import os
import pickle

import numpy as np
import pytest

from tests.helpers import ROOT

path = ROOT / 'tools/convert_ucf24.py'
spec = importlib.util.spec_from_file_location(path.stem, path)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

BOXES = [[5, 5, 9, 9], [300, 7, 9, 9]]


class Attack:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class HiddenBuild:
    def __reduce__(self):
        return np.ndarray.__new__, (np.ndarray, (1,))


@pytest.mark.parametrize('protocol', [0, 2, 4])
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
        Attack(pickle.loads, b'N.'),
        HiddenBuild(),
        np.array([None], dtype=object),
    ]
    for attack in attacks:
        file = tmp_path / 'a.pkl'
        file.write_bytes(pickle.dumps({'Dive/v': attack}, protocol=protocol))
        with pytest.raises(ValueError, match=r'a\.pkl: .* refused'):
            tool.load_pyannot(file)
        assert [p.name for p in tmp_path.iterdir()] == ['a.pkl']


@pytest.mark.parametrize('protocol', [3, 4])
def test_plain_data_is_read(tmp_path, protocol):
    tube = {'label': 0, 'sf': 0, 'ef': 2, 'boxes': np.array(BOXES, np.uint16)}
    data = {np.str_('Dive/v'): {'annotations': [tube], 'numf': np.uint8(10)}}
    file = tmp_path / 'a.pkl'
    file.write_bytes(pickle.dumps(data, protocol=protocol))
    read = tool.load_pyannot(file)
    assert list(read) == ['Dive/v']
    assert type(next(iter(read))) is str
    tube = read['Dive/v']['annotations'][0]
    assert tube['boxes'].tolist() == BOXES
    assert read['Dive/v']['numf'] == 10


@pytest.mark.parametrize(
    'data', [7, [], {'a': 3}, {'a': {}}, {'a': {'annotations': [{}], 'numf': 3}}]
)
def test_other_pickles_are_refused(tmp_path, data):
    file = tmp_path / 'a.pkl'
    file.write_bytes(pickle.dumps(data))
    with pytest.raises(ValueError, match=r'a\.pkl: '):
        tool.load_pyannot(file)


@pytest.mark.parametrize('raw', [b'', b'text', b'\x80\x02}', b'\0' * 50])
def test_damaged_pickles_are_refused(tmp_path, raw):
    (tmp_path / 'a.pkl').write_bytes(raw)
    with pytest.raises(ValueError, match=r'a\.pkl: cannot be read'):
        tool.load_pyannot(tmp_path / 'a.pkl')
