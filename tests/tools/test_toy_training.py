"""Training, resuming, evaluating and drawing on real (small) video files."""

import json
import runpy
import shutil
import sys

import av
import cv2
import pytest
import torch

from tests.helpers import ROOT
from tests.toy_run import forget_runs

pytestmark = pytest.mark.slow

METHODS = {
    'l2': 'None',
    'variance': 'dict(window=3)',
    'gradient': "dict(_delete_=True, type='GradientSmoothness')",
}


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """A toy set of 16 training videos (8 labelled) and 5 test videos."""
    out = tmp_path_factory.mktemp('toy')
    arguments = ['make_toy_dataset.py', '--out-dir', out]
    arguments += ['--num-train', 16, '--num-test', 5, '--labeled-fraction', 0.5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', list(map(str, arguments)))
        patch.syspath_prepend(ROOT / 'tools')
        runpy.run_path(str(ROOT / 'tools/make_toy_dataset.py'), run_name='__main__')
    return out


@pytest.fixture
def toy_config(toy, tmp_path, monkeypatch):
    """Write a config that inherits one of ours and ends after a few iterations."""
    monkeypatch.setenv('SSVAD_TOY', str(toy))

    def write(name, epochs=2, extra=''):
        path = tmp_path / name
        path.write_text(
            f"_base_ = ['{ROOT / 'configs' / name}']\n"
            f'train_cfg = dict(max_epochs={epochs}, val_interval={epochs})\n' + extra
        )
        return path

    return write


def final_weights(work_dir):
    path = (work_dir / 'last_checkpoint').read_text()
    return torch.load(path, weights_only=False)['state_dict']


def metrics_of(work_dir):
    return json.loads(next(work_dir.glob('*/2*.json')).read_text())


def test_training_evaluating_and_looking(tool, toy_config, tmp_path):
    views = "custom_hooks = [dict(type='EpochSeedHook'), dict(type='ViewPictureHook',"
    views += " interval=1), dict(type='DetectionPictureHook', num_videos=2)]\n"
    config = toy_config('toy_semi_var.py', extra=views)
    tool('train.py', config, '--work-dir', 'w')
    work = tmp_path / 'w'
    log = [json.loads(line) for line in open(next(work.glob('*/vis_data/2*.json')))]
    losses = [row['loss'] for row in log if 'loss' in row]
    assert losses and all(0 < loss < 100 for loss in losses)

    tool('test.py', config, (work / 'last_checkpoint').read_text(), '--work-dir', 'w2')
    metrics = metrics_of(tmp_path / 'w2')
    assert {'stad/capsule_f_mAP@0.50', 'stad/frame_mAP@0.50'} < set(metrics)
    assert all(0 <= metrics[key] <= 100 for key in metrics if key.startswith('stad'))

    sheets = sorted(path.name for path in (work / 'pictures').glob('views*'))
    assert sheets == [
        f'views_epoch_{n}_{kind}.png'
        for n in (1, 2)
        for kind in ('labelled', 'unlabelled')
    ]
    pictures = tmp_path / 'w2/pictures'
    assert len(list(pictures.glob('*.png'))) == len(list(pictures.glob('*.mp4'))) == 2
    for path in [*(work / 'pictures').iterdir(), *pictures.glob('*.png')]:
        assert cv2.imread(str(path)).std() > 5, path
    with av.open(str(next(pictures.glob('*.mp4')))) as film:
        assert 36 <= sum(1 for _ in film.decode(video=0)) <= 44


@pytest.mark.parametrize(
    'name', ['toy_semi_var', 'toy_semi_stable_mean_teacher', 'toy_semi_cepm']
)
def test_resumed_training_equals_uninterrupted(tool, toy_config, tmp_path, name):
    config = toy_config(f'{name}.py', epochs=3)
    tool('train.py', config, '--work-dir', 'whole')
    cut = tmp_path / 'cut'
    cut.mkdir()
    shutil.copy(tmp_path / 'whole/epoch_2.pth', cut)
    (cut / 'last_checkpoint').write_text(str(cut / 'epoch_2.pth'))
    tool('train.py', config, '--work-dir', 'cut', '--resume')
    whole, resumed = final_weights(tmp_path / 'whole'), final_weights(cut)
    start = torch.load(cut / 'epoch_2.pth', weights_only=False)['state_dict']
    assert not all(torch.equal(whole[key], start[key]) for key in whole)
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key
    if 'var' not in name:
        log = next(cut.glob('*/vis_data/scalars.json')).read_text()
        assert '"teacher/stad/frame_mAP@0.50"' in log


@pytest.mark.parametrize('name', METHODS)
def test_methods_differ_in_one_dict(tool, toy_config, tmp_path, name):
    change = f'model = dict(method=dict(attention={METHODS[name]}))\n'
    config = toy_config('toy_semi_var.py', 1, change)
    tool('train.py', config, '--work-dir', name, '--no-validate')
    log = next((tmp_path / name).glob('*/vis_data/2*.json')).read_text()
    assert 'loss_cons_mask' in log


def test_supervised_baseline(tool, toy_config, tmp_path):
    config = toy_config('toy_sup.py', epochs=1)
    tool('train.py', config, '--work-dir', 'sup')
    log = next((tmp_path / 'sup').glob('*/vis_data/2*.json')).read_text()
    assert 'loss_mask_dice' in log and 'loss_cons' not in log


def test_semi_weights_load_into_the_plain_detector(tool, toy_config, tmp_path):
    config = toy_config('toy_semi_var.py', epochs=1)
    tool('train.py', config, '--work-dir', 'semi')
    trained = final_weights(tmp_path / 'semi')
    path = (tmp_path / 'semi/last_checkpoint').read_text()
    init = f"model = dict(init_cfg=dict(type='Pretrained', checkpoint='{path}',"
    init += " prefix='detector.'))\noptim_wrapper = dict(optimizer=dict(lr=0.0))\n"
    init += 'param_scheduler = dict(eta_min=0.0)\n'
    tool('train.py', toy_config('toy_sup.py', 1, init), '--work-dir', 'plain')
    plain = final_weights(tmp_path / 'plain')
    for key, value in plain.items():
        if 'running' not in key and 'num_batches' not in key:
            assert torch.equal(value, trained[f'detector.{key}']), key


def test_two_processes_agree(tool, run, toy_config, tmp_path):
    forget_runs()
    dump = "custom_imports = dict(imports=['ssvad', 'tests.toy_run'])\n"
    dump += (
        "custom_hooks = [dict(type='EpochSeedHook'), dict(type='DumpWeightsHook')]\n"
    )
    config = toy_config('toy_semi_var.py', 1, dump)
    run(ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', 'two')
    first, second = (torch.load(tmp_path / f'two/weights_{i}.pt') for i in (0, 1))
    for key, value in first.items():
        assert torch.equal(value, second[key]), key

    checkpoint = (tmp_path / 'two/last_checkpoint').read_text()
    tool('test.py', config, checkpoint, '--work-dir', 'alone')
    run(ROOT / 'tools/dist_test.sh', config, checkpoint, 2, '--work-dir', 'both')
    alone, both = (metrics_of(tmp_path / name) for name in ('alone', 'both'))
    keys = [key for key in alone if key.startswith('stad')]
    assert len(keys) == 19
    assert {key: both[key] for key in keys} == {key: alone[key] for key in keys}
