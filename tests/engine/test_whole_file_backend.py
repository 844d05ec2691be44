"""Files are written all or nothing, through mmengine's own functions."""

import errno
import os
import resource

import pytest
from mmengine import fileio

from ssvad.engine.whole_file_backend import WholeFileBackend


@pytest.fixture
def small_files():
    """Files of this process cannot grow beyond 8 KB, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_it_is_what_mmengine_writes_with(tmp_path):
    path = str(tmp_path / 'new/x.bin')
    assert isinstance(fileio.get_file_backend(path), WholeFileBackend)
    fileio.put(b'abc', path)
    assert fileio.get(path) == b'abc'
    fileio.put_text('ä', path)
    assert fileio.get_text(path) == 'ä'
    assert os.listdir(tmp_path / 'new') == ['x.bin']


def test_without_room_the_old_file_stays(tmp_path, small_files):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'old')
    with pytest.raises(OSError) as caught:
        fileio.put(bytes(20000), str(path))
    assert caught.value.errno == errno.EFBIG
    assert '20000 bytes needed, ' in str(caught.value)
    assert str(caught.value).endswith(f"free; not written: '{path}'")
    assert path.read_bytes() == b'old' and os.listdir(tmp_path) == ['epoch_1.pth']


def test_other_errors_are_as_they_were(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(FileExistsError):
        fileio.put(b'', str(tmp_path / 'file/x'))
