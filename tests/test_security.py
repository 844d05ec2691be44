"""What is not in a reader's own tests: nothing that came from outside is run."""

import ast
import os
import pickle
import runpy
import shutil
import socket
import sys
import zipfile

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from ssvad import compat
from ssvad.annotations import load_masks
from ssvad.apis import TubeInferencer
from ssvad.datasets.frame_folder import load_frames
from ssvad.datasets.frame_reader import count_frames, iter_frames
from ssvad.datasets.unreadable import VideoReadError
from tests.helpers import ROOT, TINY_DETECTOR
from tests.toy_run import forget_runs, write_config


class Attack:
    """Pickles as a call."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def proof(tmp_path):
    """What exists if an attack has worked."""
    return tmp_path / 'proof'


def test_a_downloaded_checkpoint_runs_nothing(tmp_path, proof, monkeypatch):
    torch.save(dict(state_dict={}, meta=Attack(proof)), tmp_path / 'evil.pth')

    def download(url, dst, *args, **kwargs):
        shutil.copy(tmp_path / 'evil.pth', dst)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    with pytest.raises(pickle.UnpicklingError, match='it asks for posix.mkdir, which'):
        CheckpointLoader.load_checkpoint('https://example.org/evil.pth')
    assert not proof.exists()


def test_code_in_the_meta_data_is_not_run(tmp_path, proof):
    cfg = Config.fromfile(write_config(tmp_path))
    cfg.work_dir = str(tmp_path)
    forget_runs()
    Runner.from_cfg(cfg).train()
    whole = torch.load(tmp_path / 'epoch_1.pth')
    for key in ('config', 'cfg'):
        whole['meta'][key] = f'import os\nos.mkdir({str(proof)!r})\nmodel = dict()\n'
    torch.save(whole, tmp_path / 'evil.pth')
    for resume in (True, False):
        forget_runs()
        cfg.load_from, cfg.resume = str(tmp_path / 'evil.pth'), resume
        runner = Runner.from_cfg(cfg)
        runner.train() if resume else runner.test()
    assert not proof.exists()


def test_inference_takes_no_config_out_of_a_checkpoint(tmp_path, proof):
    model = dict(model=TINY_DETECTOR)
    path = tmp_path / 'w.pth'
    state = TubeInferencer(Config(model)).model.state_dict()
    code = f'import os\nos.mkdir({str(proof)!r})\nmodel = dict()\n'
    torch.save(dict(state_dict=state, meta=dict(cfg=code, config=code)), path)
    TubeInferencer(Config(model), path)
    with pytest.raises(FileNotFoundError, match='the one config file of a training'):
        TubeInferencer(weights=path)
    assert not proof.exists()


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """What tools/test.py says about a checkpoint, in one line."""

    def run(path):
        forget_runs()
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(ROOT / 'tools')
        monkeypatch.setattr(sys, 'argv', ['test.py', write_config(tmp_path), str(path)])
        capsys.readouterr()
        with pytest.raises(SystemExit, match='2'):
            runpy.run_path(str(ROOT / 'tools/test.py'), run_name='__main__')
        return capsys.readouterr().err.splitlines()[-1]

    return run


def test_a_malicious_checkpoint_is_one_line(tmp_path, proof, evaluate):
    path = tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, meta=Attack(proof)), path)
    said = evaluate(path)
    assert said.endswith(
        f'{path} cannot be read as a checkpoint: it asks for '
        'posix.mkdir, which may run code; it was not opened'
    )
    assert not proof.exists()


def test_altered_and_compressed_checkpoints_are_refused(tmp_path, evaluate):
    path = tmp_path / 'w.pth'
    torch.save(dict(state_dict={'linear.weight': torch.zeros(1 << 16)}), path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / 'flipped.pth').write_bytes(raw)
    assert 'wrong checksum of' in evaluate(tmp_path / 'flipped.pth')
    with zipfile.ZipFile(path) as source:
        with zipfile.ZipFile(tmp_path / 'z.pth', 'w', zipfile.ZIP_DEFLATED) as packed:
            for name in source.namelist():
                packed.writestr(name, source.read(name))
    # a bomb: torch itself reads it
    assert (tmp_path / 'z.pth').stat().st_size < path.stat().st_size / 50
    torch.load(tmp_path / 'z.pth')
    assert 'is compressed, which torch never does' in evaluate(tmp_path / 'z.pth')


PLAYLISTS = {
    'hls': '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n',
    'concat': "ffconcat version 1.0\nfile '{}'\n",
    'sdp': 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n'
    'm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n',
}


@pytest.mark.parametrize('kind', PLAYLISTS)
@pytest.mark.parametrize('target', ['address', 'file'])
def test_a_playlist_named_as_a_video_opens_nothing(tmp_path, kind, target):
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        server.settimeout(0)
        other = f'http://127.0.0.1:{server.getsockname()[1]}/a.ts'
        if target == 'file':
            (tmp_path / 'secret.mp4').write_bytes(b'secret')
            other = str(tmp_path / 'secret.mp4')
        path = tmp_path / 'a.mp4'
        path.write_text(PLAYLISTS[kind].format(other))
        for read in (count_frames, lambda name: list(iter_frames(name))):
            with pytest.raises(VideoReadError, match='a.mp4: cannot open'):
                read(str(path))
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes on this system')
def test_pipes_are_not_waited_for(tmp_path):
    for name in ('a.mp4', 'img_1.png', 'm.npz'):
        os.mkfifo(tmp_path / name)
    with pytest.raises(VideoReadError, match='a.mp4: no such file'):
        count_frames(str(tmp_path / 'a.mp4'))
    with pytest.raises(VideoReadError, match='img_1.png: no such file'):
        next(load_frames([str(tmp_path / 'img_1.png')]))
    with pytest.raises(FileNotFoundError, match='m.npz'):
        load_masks(tmp_path / 'm.npz', np.arange(1), (1, 2, 2))


# --- calls that could run or unpack what a file says ---------------------------

FORBIDDEN = {
    *('eval', 'exec', '__import__', 'os.system', 'os.popen', 'yaml.load'),
    *('pickle.load', 'pickle.loads', 'pickle.Unpickler', 'marshal.loads'),
    *('shelve.open', 'joblib.load', 'pandas.read_pickle', 'Config.fromstring'),
    *('mmengine.load', 'load_url', 'torch.jit.load', 'shutil.unpack_archive'),
}
# reads what it has just written
KNOWN = {'tools/export_formats.py': ['torch.jit.load(path)']}
# method names of archives
UNPACKING = {'extract', 'extractall'}


def dangerous_calls(source):
    """Calls, as text, that could run or unpack what a file says."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: word.value for word in node.keywords}
        value = {k: getattr(v, 'value', None) for k, v in given.items()}
        if (
            name in FORBIDDEN
            or getattr(node.func, 'attr', '') in UNPACKING
            or value.get('shell') not in (None, False)
            or (name == 'torch.load' and value.get('weights_only', True) is not True)
            or (name in ('np.load', 'numpy.load') and value.get('allow_pickle') != 0)
        ):
            yield ast.unparse(node)


@pytest.mark.parametrize(
    'path',
    sorted(
        path.relative_to(ROOT).as_posix()
        for folder in ('ssvad', 'tools')
        for path in (ROOT / folder).rglob('*.py')
    ),
)
def test_nothing_here_runs_what_a_file_says(path):
    found = list(dangerous_calls((ROOT / path).read_text('utf-8')))
    assert found == KNOWN.get(path, [])


@pytest.mark.parametrize(
    'call',
    [
        'eval(x)',
        'os.system(x)',
        'pickle.loads(x)',
        'yaml.load(x)',
        'archive.extractall()',
        'subprocess.run(x, shell=True)',
        'torch.load(x, weights_only=False)',
        'torch.load(x, weights_only=flag)',
        'np.load(x)',
        'np.load(x, allow_pickle=True)',
    ],
)
def test_dangerous_calls_are_seen(call):
    assert list(dangerous_calls(f'def f(x):\n    return {call}')) == [call]


def test_the_rest_is_allowed():
    fine = 'model.eval(); torch.load(x); np.load(x, allow_pickle=False); run(x)'
    assert list(dangerous_calls(fine)) == []


def test_the_wrapper_is_put_on_once():
    before = CheckpointLoader.load_checkpoint
    compat.load_weights_only()
    assert CheckpointLoader.load_checkpoint is before
