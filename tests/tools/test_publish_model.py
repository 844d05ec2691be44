"""tools/publish_model.py: what it writes infers as before, and holds nothing else."""

import datetime
import hashlib
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub

import publish_model as tool
from ssvad.apis import TubeInferencer
from ssvad.apis.model_loading import build_detector, read_config
from tests.apis.inference import moving, world
from tests.apis.videos import PREPROCESSOR
from tests.helpers import TINY_DETECTOR

CLASSES = ('run', 'jump', 'wave')


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    """Folder of a training with a teacher: config and checkpoint as mmengine's."""
    folder = tmp_path_factory.mktemp('training')
    detector = dict(TINY_DETECTOR, init_cfg=dict(type='Pretrained', checkpoint='x'))
    cfg = Config(
        dict(
            default_scope='mmaction',
            custom_imports=dict(imports=['ssvad']),
            model=dict(
                type='SemiDetector',
                detector=detector,
                method=dict(type='MeanTeacher'),
                teacher=dict(decay=0.5),
                data_preprocessor=PREPROCESSOR,
            ),
            test_dataloader=dict(
                dataset=dict(data_root='/home/me/data', x=['/a', 'b'])
            ),
            test_evaluator=dict(type='FrameVideoMAP'),
            test_cfg=dict(type='TeacherStudentTestLoop'),
            train_cfg=dict(max_epochs=3),
            work_dir='/home/me/secret',
        )
    )
    cfg.dump(folder / 'mine.py')
    model, _ = build_detector(cfg)
    model.update_teacher()
    with torch.no_grad():
        for weight in model.detector.parameters():
            weight.add_(0.01)
    hub = MessageHub.get_instance('publish')
    hub.update_scalar('loss', 1.0)
    optimizer = torch.optim.Adam(model.parameters())
    model.detector.backbone(torch.rand(1, 3, 8, 32, 32))[0].sum().backward()
    optimizer.step()
    torch.save(
        dict(
            meta=dict(
                epoch=3,
                iter=12,
                cfg='work_dir = "/home/me/secret"',
                dataset_meta=dict(classes=CLASSES),
                hook_msgs=dict(best=np.float64(3)),
            ),
            state_dict=model.state_dict(),
            optimizer=optimizer.state_dict(),
            message_hub=hub.state_dict(),
        ),
        folder / 'epoch_3.pth',
    )
    return folder, model.eval()


@pytest.fixture
def publish(training, tmp_path, capsys):
    """Run the tool; returns the new file, its content, and what was printed."""

    def run(*arguments):
        out = tmp_path / 'zoo/mine.pth'
        source = training[0] / 'epoch_3.pth'
        tool.main([str(source), str(out), *map(str, arguments)])
        (path,) = out.parent.glob('*.pth')
        # without the types that are allowed for checkpoints of trainings
        allowed = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        try:
            content = torch.load(path, weights_only=True)
        finally:
            torch.serialization.add_safe_globals(allowed)
        return path, content, capsys.readouterr().out

    return run


@pytest.mark.parametrize('net', ['student', 'teacher'])
def test_one_network_and_how_to_use_it(publish, training, net):
    path, content, printed = publish('--net', net)
    model = training[1]
    network = model.teacher['detector'] if net == 'teacher' else model.detector
    expected = network.state_dict()
    assert content['state_dict'].keys() == expected.keys()
    for name, value in content['state_dict'].items():
        assert torch.equal(value, expected[name]), name
    assert content['meta']['net'] == net and f'the {net}, ' in printed
    cfg = read_config(None, str(path))
    assert cfg.pretty_text == content['meta']['cfg']
    loaded, classes = build_detector(cfg, str(path))
    assert tuple(classes) == CLASSES
    clips = torch.rand(2, 3, 8, 32, 32)
    with torch.no_grad():
        for a, b in zip(loaded(clips), network(clips)):
            assert torch.equal(a, b)
    prepared = loaded.data_preprocessor(
        dict(inputs=[torch.full((1, 3, 8, 8, 8), 255).byte()], data_samples=[None])
    )
    assert prepared['inputs'][0].max() == 1


def test_by_default_the_network_that_the_config_evaluates(publish, training, tmp_path):
    _, student, _ = publish()
    assert student['meta']['net'] == 'student'
    cfg = Config.fromfile(training[0] / 'mine.py')
    cfg.model.eval_net = 'teacher'
    cfg.dump(tmp_path / 'other.py')
    for path in (tmp_path / 'zoo').iterdir():
        path.unlink()
    _, teacher, _ = publish('--config', tmp_path / 'other.py')
    assert teacher['meta']['net'] == 'teacher'


def test_the_name_tells_the_content(publish, tmp_path):
    path, _, _ = publish()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stem, date, found = re.fullmatch(r'(\w+)_(\d{8})-(\w{8})', path.stem).groups()
    assert (stem, found) == ('mine', digest[:8])
    assert datetime.datetime.strptime(date, '%Y%m%d')
    names = {p.name for p in path.parent.iterdir()}
    assert names == {path.name, path.with_suffix('.py').name}
    publish()  # the same again
    assert {p.name for p in path.parent.iterdir()} == names


def test_nothing_of_the_training_is_left(publish):
    path, content, printed = publish()
    assert set(content) == {'meta', 'state_dict'}
    meta = content['meta']
    assert (meta['epoch'], meta['iter']) == (3, 12)
    cfg = Config.fromfile(path.with_suffix('.py'))
    assert set(cfg) == {'default_scope', 'custom_imports', 'model', *tool.KEPT[3:]} | {
        'test_cfg'
    }
    assert cfg.test_cfg == {} and 'init_cfg' not in cfg.model
    assert b'secret' not in path.read_bytes() + path.with_suffix('.py').read_bytes()
    lines = [line for line in printed.splitlines() if 'this machine' in line]
    assert [line.split(': ')[1] for line in lines] == [
        'test_dataloader.dataset.data_root = /home/me/data',
        'test_dataloader.dataset.x.0 = /a',
    ]


def test_the_inferencer_sees_the_same(tmp_path):
    config, weights = world(tmp_path, {'a': moving(24)})
    tool.main([str(weights), str(tmp_path / 'zoo/bright')])
    (path,) = (tmp_path / 'zoo').glob('*.pth')
    video = str(tmp_path / 'videos/a.mp4')
    found = [
        TubeInferencer(cfg, str(file), 'cpu', show_progress=False)(video)['predictions']
        for cfg, file in ((config, weights), (None, path))
    ]
    assert found[0] == found[1] and found[0][0]['tubes']


def test_what_is_refused(training, tmp_path, publish):
    with pytest.raises(SystemExit, match='not found'):
        tool.main([str(tmp_path / 'no.pth'), 'a.pth', '--config', 'no.py'])
    with pytest.raises(SystemExit, match='does not fit'):
        cfg = Config.fromfile(training[0] / 'mine.py')
        cfg.model.detector.head.num_classes = 5
        cfg.dump(tmp_path / 'other.py')
        publish('--config', tmp_path / 'other.py')
    _, weights = world(tmp_path / 'plain', {'a': moving(9)})
    with pytest.raises(SystemExit, match='--net teacher: the config has no Semi'):
        tool.main([str(weights), str(tmp_path / 'zoo/a.pth'), '--net', 'teacher'])
    model, _ = build_detector(Config.fromfile(training[0] / 'mine.py'))
    with pytest.raises(ValueError, match='the teacher was never updated'):
        tool.choose_network(model, 'teacher')
    assert not (tmp_path / 'zoo').exists()
