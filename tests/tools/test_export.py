"""tools/export.py: every format is the detector; wrong files are refused."""

import re
import shlex

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from export_formats import ExportedDetector
from ssvad.apis.model_loading import build_detector, read_config
from ssvad.video_io import write_video
from tests.apis.inference import moving
from tests.helpers import ROOT, TINY_DETECTOR, UCF24_MINI, needs_ucf24_mini
from tests.models.test_adapted import SMALL, small_config

PAGE = (ROOT / 'docs/export.md').read_text('utf-8')
COMMANDS = re.findall(r'^python tools/(.*)$', PAGE, re.MULTILINE)
CLASSES = ('bounce', 'pulse', 'spin')
PREPROCESSOR = dict(
    type='ActionDataPreprocessor',
    mean=[100.0, 110.0, 120.0],
    std=[50.0, 60.0, 70.0],
    format_shape='NCTHW',
)
PIPELINE = [
    dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
    dict(type='OpenVideo'),
    dict(type='DecordDecode'),
    dict(type='CenterCrop', crop_size=(40, 32)),
    dict(type='FormatShape', input_format='NCTHW'),
]
SEMI = dict(
    type='SemiDetector',
    detector=TINY_DETECTOR,
    method=dict(type='MeanTeacher', loss_weight=0.1),
    teacher=dict(decay=0.9),
    data_preprocessor=PREPROCESSOR,
)


def save(folder, model, name='tiny'):
    """A config and a checkpoint of it; returns their paths."""
    cfg = Config(
        dict(
            default_scope='mmaction',
            model=model,
            test_dataloader=dict(dataset=dict(pipeline=PIPELINE)),
        )
    )
    cfg.dump(folder / f'{name}.py')
    torch.manual_seed(0)
    built = build_detector(read_config(cfg))[0]
    with torch.no_grad():
        for key, parameter in built.named_parameters():
            # few capsules that are sure of themselves, as after a training
            if key.endswith('primary.activation.bias'):
                parameter -= 17
            # student and teacher are different networks
            if key.startswith('teacher.') and parameter.ndim > 1:
                parameter *= 1.3
    state = dict(state_dict=built.state_dict())
    state['meta'] = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(state, folder / f'{name}.pth')
    return folder / f'{name}.py', folder / f'{name}.pth'


@pytest.fixture
def export(tool, tmp_path, capsys):
    """Run the tool; returns the file and what was printed about it."""

    def run(config, checkpoint, out, *args):
        tool('export.py', config, checkpoint, '--out', tmp_path / out, *args)
        return tmp_path / out, capsys.readouterr().out

    return run


@pytest.fixture
def detector(tmp_path):
    return save(tmp_path, dict(TINY_DETECTOR, data_preprocessor=PREPROCESSOR))


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / 'my_video.mp4', moving(20, width=64))
    return tmp_path / 'my_video.mp4'


def model_of(config, checkpoint):
    return build_detector(read_config(config), str(checkpoint))[0]


def outputs(model, clips):
    """What a model says about (N, 3, T, H, W) uint8 clips."""
    data = model.data_preprocessor(dict(inputs=[clips], data_samples=[None]))
    with torch.no_grad():
        return model(data['inputs'][0], mode='tensor')


def random_clips(count, seed=7):
    generator = torch.manual_seed(seed)
    return torch.randint(256, (count, 3, 8, 32, 40), generator=generator).byte()


def check(found, wanted):
    mask, scores = map(torch.as_tensor, found)
    assert torch.allclose(mask, wanted.mask, atol=1e-4)
    assert torch.allclose(scores, wanted.scores, atol=1e-5)


def test_torchscript_is_the_detector(export, detector, video):
    path, printed = export(*detector, 'model.pt', '--video', video, '--clips', 2)
    assert re.search(r'model.pt: torchscript, 0.\d MB', printed)
    assert 'random: 4 clips' in printed and 'my_video.mp4: 4 clips' in printed
    clips = random_clips(2)
    check(torch.jit.load(path)(clips / 255), outputs(model_of(*detector), clips))


@pytest.mark.slow
def test_exported_program_takes_any_batch(export, detector):
    path, _ = export(*detector, 'model.pt2', '--dynamic-batch')
    facts = dict(classes='', frame_interval='', transforms='')
    program = torch.export.load(path, extra_files=facts).module()
    assert facts['frame_interval'] == '2' and 'CenterCrop' in facts['transforms']
    for count in (1, 5):
        clips = random_clips(count)
        check(program(clips / 255), outputs(model_of(*detector), clips))


@pytest.mark.slow
@needs_ucf24_mini
def test_onnx_of_both_networks_on_a_real_clip(export, tmp_path):
    runtime = pytest.importorskip('onnxruntime')
    semi, clips = save(tmp_path, SEMI, 'semi'), random_clips(3)
    model, masks = model_of(*semi), {}
    # other clips of the sample were damaged once
    real = UCF24_MINI / 'rgb-videos/Basketball/v_Basketball_g07_c04.mp4'
    for net in ('student', 'teacher'):
        args = ('--net', net, '--dynamic-batch', '--video', real)
        path, printed = export(*semi, f'{net}.onnx', *args)
        assert 'v_Basketball_g07_c04.mp4: 6 clips' in printed
        session = runtime.InferenceSession(path)
        found = session.run(['mask', 'scores'], {'clips': (clips / 255).numpy()})
        model.eval_net = net
        check(found, outputs(model, clips))
        masks[net] = found[0]
    assert np.abs(masks['student'] - masks['teacher']).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize('name', SMALL)
def test_other_backbones_export(export, tmp_path, name):
    pytest.importorskip('onnxruntime')
    files = save(tmp_path, small_config(name), name)
    _, printed = export(*files, 'model.onnx', '--dynamic-batch')
    assert 'random: 6 clips' in printed


@pytest.fixture
def mmaction_scope():
    """Where mmengine looks up the data preprocessor; a Runner sets it."""
    init_default_scope('mmaction')


@pytest.mark.parametrize('to_rgb', [False, True])
def test_normalisation_is_inside(mmaction_scope, to_rgb):
    preprocessor = dict(PREPROCESSOR, to_rgb=to_rgb)
    model = MODELS.build(dict(TINY_DETECTOR, data_preprocessor=preprocessor)).eval()
    clips = random_clips(2)
    with torch.no_grad():
        check(
            ExportedDetector(model)(clips / 255),
            outputs(model, clips),
        )


def test_the_model_stays_as_it_is(mmaction_scope):
    model = MODELS.build(dict(TINY_DETECTOR, data_preprocessor=PREPROCESSOR)).eval()
    before = list(model.state_dict())
    ExportedDetector(model)
    assert list(model.state_dict()) == before
    assert model.head.implementation == 'fast'
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize('error', [0.1, float('nan')])
def test_a_file_that_differs_is_refused(export, detector, monkeypatch, error):
    load = torch.jit.load

    def off(path):
        network = load(path)
        return lambda clips: (network(clips)[0] + error, network(clips)[1])

    monkeypatch.setattr(torch.jit, 'load', off)
    with pytest.raises(SystemExit, match='differs from PyTorch by more than 0.001'):
        export(*detector, 'model.pt')


@pytest.mark.parametrize(
    'out, args, message',
    [
        ('a.pt', ['--net', 'teacher'], 'no teacher; export its student'),
        ('a.pt', ['--size', 8, 32, 36], 'multiples of 8'),
        ('a.onnx', [], r'needs onnx, onnxruntime, onnxscript: pip install'),
    ],
)
def test_mistakes_are_named(export, detector, monkeypatch, out, args, message):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SystemExit, match=message):
        export(*detector, out, *args)


def test_clips_of_another_size_are_named(export, detector, video):
    args = ('--size', 8, 32, 32, '--video', video)
    with pytest.raises(SystemExit, match=r'are \(3, 8, 32, 40\), those of the file'):
        export(*detector, 'model.pt', *args)


@pytest.fixture
def workplace(tmp_path, video, monkeypatch):
    """Trainings' folders as the page has them; the networks have learned nothing."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    for name in ('toy_semi_var', 'toy_semi_mean_teacher'):
        model, folder = (
            build_detector(read_config(ROOT / f'configs/{name}.py'))[0],
            tmp_path / 'work_dirs' / name,
        )
        folder.mkdir(parents=True)
        torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_16.pth')
    return tmp_path


@pytest.mark.slow
def test_commands_of_the_page_run(workplace, tool):
    pytest.importorskip('onnxruntime')
    assert len(COMMANDS) == 5
    for command in COMMANDS:
        name, *args = shlex.split(command)
        tool(name, *args)
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL):
        exec(block, {})
    written = {path.name for path in (workplace / 'results').iterdir()}
    assert written == {'my_video.json', 'my_video.png'}
    assert (workplace / 'teacher.pt').is_file()


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()
