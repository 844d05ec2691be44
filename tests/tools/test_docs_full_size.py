"""Commands on UCF101-24 and JHMDB-21, run on small data in their official layout.

What is smaller than the page says stands in ``tests/docs_run.py``.
"""

import importlib
import json
import math
import shutil

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from ssvad.annotations import read_split
from tests.docs_blocks import BLOCKS, FULL
from tests.docs_pages import blocks, commands, words
from tests.docs_run import run_block, shorter, small
from tests.helpers import ROOT
from tests.models.test_reference_weights import i3d_state, released_shapes
from tests.tools import official_data

pytestmark = pytest.mark.slow


def listed(page, test):
    """The blocks of a page that the table gives to a test."""
    entries = zip(BLOCKS[page], blocks(page))
    return [block for entry, block in entries if entry == FULL + test]


@pytest.fixture(scope='module')
def downloaded(tmp_path_factory):
    """The data sets as they come, and converted as the README says it."""
    root = tmp_path_factory.mktemp('downloaded')
    pair = official_data.write_pair(tmp_path_factory.mktemp('pair'))
    official_data.make_ucf24(root, pair)
    official_data.make_jhmdb21(root / 'data/jhmdb21', pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for command in [
            *commands(*listed('README.md', 'your_run_on_ucf24'))[:2],
            'python tools/convert_jhmdb21.py data/jhmdb21',
        ]:
            _, script, *arguments = words(command)
            name = script.removeprefix('tools/').removesuffix('.py')
            importlib.import_module(name).main(arguments)
    return root


@pytest.fixture
def reader(downloaded, tool, run, tmp_path):
    """Run a block of a page in a folder with the data sets."""
    shutil.copytree(downloaded, tmp_path, dirs_exist_ok=True)
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    return lambda block, *more: run_block(block, tool, run, *more)


def trained(folder):
    """Names of the trainings in their order; each has a loss and was evaluated."""
    logs = sorted(folder.glob('work_dirs/*/2*/vis_data/scalars.json'))
    for log in logs:
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        losses = [row['loss'] for row in rows if 'loss' in row]
        assert len(losses) == 1 and math.isfinite(losses[0]), log
        assert any('stad/video_mAP@0.50' in row for row in rows), log
    return [log.parents[2].name for log in logs]


def test_your_run_on_ucf24(reader, tmp_path):
    shutil.rmtree(tmp_path / 'data/ucf24/splits')
    reader(*listed('README.md', 'your_run_on_ucf24'))
    assert len(read_split(tmp_path / 'data/ucf24/splits/20_seed47/labeled.txt')) == 5
    assert trained(tmp_path) == ['ucf24_semi_var'] * 2
    (numbers,) = (tmp_path / 'work_dirs/ucf24_semi_var').glob('2*/2*.json')
    assert 'stad/video_mAP@0.50' in json.loads(numbers.read_text())


def test_fewer_labels(reader, tmp_path):
    reader(*listed('configs/README.md', 'fewer_labels'))
    assert trained(tmp_path) == ['jhmdb21_semi_var', 'ucf24_semi_var', 'ucf24_sup']
    assert len(read_split(tmp_path / 'data/ucf24/splits/5_seed47/labeled.txt')) == 1


def test_fewer_unlabelled_videos(reader, tmp_path):
    reader(*listed('configs/README.md', 'fewer_unlabelled_videos'))
    folder = tmp_path / 'data/ucf24/splits/20_seed47_2x'
    assert [len(read_split(folder / f'{n}labeled.txt')) for n in ('', 'un')] == [5, 10]
    assert trained(tmp_path) == ['ucf24_semi_var']


def test_more_unlabelled_videos(reader, tmp_path):
    video = next((tmp_path / 'data/ucf24/videos/Basketball').iterdir())
    for name in (
        'UCF-101/Basketball/a',
        'UCF-101/YoYo/b',
        'data/k400/c d',
        'data/k400/e',
    ):
        path = (tmp_path / name).with_suffix('.avi')
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, path)
    other, part = listed('configs/README.md', 'more_unlabelled_videos')
    reader(other)
    assert [path.name for path in (tmp_path / 'data/ucf77').iterdir()] == ['YoYo']
    (tmp_path / 'k400.txt').write_text('c d\n')
    reader(part)
    assert trained(tmp_path) == ['ucf24_semi_var_extra'] * 2


@pytest.mark.parametrize('index', [0, 1])
def test_as_released_and_other_methods(reader, tmp_path, index):
    block = listed('configs/README.md', 'as_released_and_other_methods')[index]
    reader(block)
    assert len(trained(tmp_path)) == block.count('tools/train.py') >= 1


def test_own_videos_and_toy_videos(reader, tmp_path):
    shutil.copytree(tmp_path / 'data/ucf24', tmp_path / 'data/mine')
    for file in (tmp_path / 'data/mine/splits/20_seed47').iterdir():
        shutil.move(file, file.parents[1])
    own, toy = listed('configs/README.md', 'own_videos_and_toy_videos')
    reader(own)

    def more(script, *arguments):
        sizes = ['--num-train', '20', '--num-test', '2']
        return sizes if 'toy_dataset' in script else shorter(script, *arguments)

    reader(toy, more)
    assert trained(tmp_path) == ['own_dataset_semi_var', 'toy_semi_var']


def test_pretrained_i3d(reader, tmp_path, monkeypatch):
    torch.save(i3d_state(), tmp_path / 'rgb_charades.pt')
    reader(*listed('README.md', 'pretrained_i3d'))
    init_default_scope('mmaction')
    monkeypatch.delenv('SSVAD_I3D', raising=False)
    cfg = Config.fromfile('configs/ucf24_semi_var.py').model.detector.backbone
    model = MODELS.build(cfg)
    model.init_weights()
    state = i3d_state()
    for key in ('Conv3d_1a_7x7.conv3d.weight', 'Mixed_4f.b0.bn.bias'):
        assert torch.equal(model.state_dict()[key], state[key])


def test_the_lists_of_the_released_code(reader, tmp_path):
    splits = tmp_path / 'data/ucf24/splits'
    (splits / '20_seed47').rename(splits / 'released')
    reader(*listed('docs/migration.md', 'the_lists_of_the_released_code'))
    assert trained(tmp_path) == ['cyclic_variance_maps', 'gradient_maps']


def test_released_weights(reader, tmp_path, capsys):
    torch.manual_seed(0)
    state = {
        key: torch.ones(shape) if 'running_var' in key else 0.02 * torch.randn(shape)
        for key, shape in released_shapes().items()
    }
    torch.save(state, tmp_path / 'best_model.pth')
    del state

    def more(script, *arguments):  # the network is whole
        return ['--cfg-options', 'test_dataloader.num_workers=0'] * (
            script == 'test.py'
        )

    reader(*listed('docs/migration.md', 'released_weights'), more)
    (numbers,) = (tmp_path / 'work_dirs/ucf24_sup').glob('2*/2*.json')
    assert 'stad/capsule_f_mAP@0.50' in json.loads(numbers.read_text())


def test_other_backbones(reader, tmp_path):
    reader(*listed('docs/other_backbones.md', 'other_backbones'))
    names = [
        f'ucf24_semi_var_{name}' for name in ('slowfast', 'slowonly', 'swin', 'x3d')
    ]
    assert trained(tmp_path) == names


def test_pretrained_backbone(reader, tmp_path):
    init_default_scope('mmaction')
    x3d = Config.fromfile('configs/backbones/ucf24_semi_var_x3d.py').backbone.backbone
    state = {f'backbone.{k}': v for k, v in MODELS.build(x3d).state_dict().items()}
    key = 'backbone.layer1.0.conv1.conv.weight'
    state[key] += 3
    torch.save(dict(state_dict=state), tmp_path / 'x3d_m.pth')
    reader(*listed('docs/other_backbones.md', 'pretrained_backbone'))
    (name,) = trained(tmp_path)
    file = tmp_path / f'work_dirs/{name}/epoch_100.pth'
    ours = torch.load(file, weights_only=False)['state_dict'][
        f'detector.backbone.{key}'
    ]
    torch.testing.assert_close(ours, state[key], rtol=0, atol=0.01)


def test_whole_frames(reader, tmp_path):
    (block,) = listed('docs/evaluation_full_frame.md', 'whole_frames')
    assert block.count('CHECKPOINT') == 4
    init_default_scope('mmaction')
    for data in ('ucf24', 'jhmdb21'):
        file = f'configs/{data}_semi_var.py'
        cfg = Config.fromfile(file)
        options = (option.split('=', 1) for option in small(file))
        cfg.merge_from_dict({k: DictAction._parse_iterable(v) for k, v in options})
        torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'CHECKPOINT')
        reader('\n'.join(line for line in block.splitlines() if file in line))
        for table in (tmp_path / f'work_dirs/{data}_semi_var').glob('2*/2*.json'):
            assert 'stad/frame_mAP@0.50' in json.loads(table.read_text())


@pytest.mark.parametrize('index', [0, 1])
def test_performance(reader, tmp_path, index):
    def more(script, *arguments):
        short = ['--lengths', '20', '--rounds', '1', '--workers']
        return short if script == 'benchmark_data.py' else shorter(script, *arguments)

    reader(listed('docs/performance.md', 'performance')[index], more)
    assert trained(tmp_path) == ['ucf24_semi_var']
    cached = list(tmp_path.glob('data/ucf24/frames/**/*'))
    assert bool(cached) is (index == 1)


def test_planning(reader, capsys):
    def more(script, *arguments):
        short = ['--rounds', '1', '--workers']
        return short if script == 'benchmark_data.py' else shorter(script, *arguments)

    reader(*listed('docs/planning.md', 'planning'), more)
    assert 'steps of 32' in capsys.readouterr().out
