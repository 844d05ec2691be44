"""docs/faq.md: every message that it quotes is one that is printed."""

import logging
import re

import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import cli
from ssvad.annotations import save_annotations
from ssvad.apis.model_loading import build_detector, read_config
from ssvad.compat import REQUIRED, version_problem
from ssvad.models.backbones import I3D
from tests.docs_pages import read
from tests.helpers import ROOT, TINY_DETECTOR, make_batch

PAGE = read('docs/faq.md')
QUOTED = re.findall(r'```text\n(.*?)\n```', PAGE, re.DOTALL)
PREPROCESSOR = dict(type='ActionDataPreprocessor', format_shape='NCTHW')


def versions():
    (lite,) = (row for row in REQUIRED if row[1] == 'mmcv-lite')
    return version_problem('mmcv-lite', None, *lite[2:])


def missing_files():
    size = dict(width=320, height=240, num_frames=3, tubes=[])
    videos = [dict(id=name, file=f'{name}.mp4', **size) for name in 'ab']
    save_annotations('data/annotations.json', ['run'], videos)
    source = dict(ann_file='data/annotations.json', pipeline=[])
    folder = dict(video='data/videos')
    DATASETS.build(dict(type='TubeDataset', data_prefix=folder, **source))


def broken_video(caplog):
    from ssvad.video_io import write_video

    frames = torch.full((3, 32, 32, 3), 90, dtype=torch.uint8).numpy()
    write_video('data/more/good.mp4', frames)
    open('data/more/bad.mp4', 'w').write('no video')
    dataset = DATASETS.build(
        dict(
            type='VideoFolder',
            data_prefix=dict(video='data/more'),
            pipeline=[dict(type='CountFrames')],
        )
    )
    [dataset[index] for index in range(2)]
    return caplog.text


def no_accelerator(capsys):
    if torch.cuda.is_available():
        pytest.skip('a machine with a GPU')
    cfg = Config(dict(optim_wrapper=dict(type='AmpOptimWrapper')))
    with pytest.raises(SystemExit):
        cli.build_runner(cli.make_parser(''), cfg)
    return capsys.readouterr().err


def from_scratch(caplog):
    init_cfg = read_config(ROOT / 'configs/ucf24_sup.py').model.backbone.init_cfg
    I3D(width=0.0625, init_cfg=init_cfg).init_weights()
    return caplog.text


def odd_clip():
    MODELS.build(TINY_DETECTOR)(torch.rand(1, 3, 8, 33, 40))


def small_clip():
    head = dict(TINY_DETECTOR['head'], kernel_size=9)
    MODELS.build(dict(TINY_DETECTOR, head=head))(torch.rand(1, 3, 8, 64, 64))


def still_teacher():
    model = MODELS.build(
        dict(
            type='SemiDetector',
            detector=TINY_DETECTOR,
            method=dict(type='MeanTeacher'),
            teacher=dict(decay=0.9),
        )
    )
    model(*make_batch([0, None], views=('weak', 'strong')), mode='loss')


def other_weights():
    wrapped = dict(type='SemiSupConsistency')
    semi = dict(type='SemiDetector', detector=TINY_DETECTOR, method=wrapped)
    torch.save(dict(state_dict=MODELS.build(semi).state_dict()), 'semi.pth')
    plain = dict(TINY_DETECTOR, data_preprocessor=PREPROCESSOR)
    cfg = Config(dict(default_scope='mmaction', model=plain))
    build_detector(read_config(cfg), 'semi.pth')


# in the order of the page
CAUSES = [
    versions,
    missing_files,
    broken_video,
    no_accelerator,
    from_scratch,
    odd_clip,
    small_clip,
    still_teacher,
    other_weights,
]


@pytest.fixture
def workplace(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('SSVAD_I3D', raising=False)
    init_default_scope('mmaction')
    # mmengine's loggers do not pass on what they log
    (tmp_path / 'data/more').mkdir(parents=True)
    monkeypatch.setattr(
        'mmengine.logging.logger.MMLogger.get_current_instance',
        lambda: logging.getLogger('faq'),
    )
    return caplog


@pytest.mark.parametrize('number', range(len(CAUSES)), ids=lambda n: CAUSES[n].__name__)
def test_quoted_messages_are_printed(number, workplace, request):
    assert len(QUOTED) == len(CAUSES)
    cause = CAUSES[number]
    names = cause.__code__.co_varnames[: cause.__code__.co_argcount]
    fixtures = {name: request.getfixturevalue(name) for name in names}
    try:
        printed = cause(**fixtures)
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        printed = str(error)
    pattern = '.*'.join(map(re.escape, QUOTED[number].split('...')))
    assert re.search(pattern, printed, re.DOTALL), printed


def test_named_files_and_folders_exist():
    names = re.findall(r'`((?:tools|configs|data_lists)/[\w/*]*(?:\.py)?)', PAGE)
    assert len(names) >= 6
    assert [name for name in names if not list(ROOT.glob(name))] == []


def test_named_settings_exist():
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/ucf24_semi_var.py')
    options = dict(re.findall(r'`(?:--cfg-options )?([a-z_.]+)=([\w.]+)`', PAGE))
    assert {'train_dataloader.batch_size', 'optim_wrapper.accumulative_counts'} <= set(
        options
    )
    cfg.merge_from_dict({'model.detector.backbone.with_cp': True})
    MODELS.build(cfg.model)
