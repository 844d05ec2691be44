"""Self-training on real (small) video files."""

import sys

import pytest

from ssvad.annotations import read_split
from tests.helpers import ROOT

CONFIG = ROOT / 'configs/toy_sup.py'
SHORT = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=2']
SHORT += ['train_dataloader.sampler.num_rounds=16']


def test_semi_supervised_configs_are_refused(tool, capsys):
    config = ROOT / 'configs/toy_semi_var.py'
    with pytest.raises(SystemExit) as stop:
        tool('pseudo_label.py', config, '--unlabeled', 'splits/unlabeled.txt')
    assert stop.value.code == 2
    assert 'one TubeDataset' in capsys.readouterr().err


@pytest.mark.slow
def test_rounds_add_videos_and_are_not_repeated(run, tmp_path):
    toy = tmp_path / 'toy'
    run(sys.executable, ROOT / 'tools/make_toy_dataset.py', '--out-dir', toy,
        '--num-train', 16, '--num-test', 4, '--labeled-fraction', 0.5)  # fmt: skip
    command = [sys.executable, ROOT / 'tools/pseudo_label.py', CONFIG]
    command += ['--unlabeled', 'splits/unlabeled.txt', '--rounds', 1]
    command += ['--class-thr', 0, '--mask-thr', 0, '--work-dir', 'w', *SHORT]
    printed = run(*command, SSVAD_TOY=str(toy))
    first = tmp_path / 'w/round_1'
    labeled = read_split(first / 'labeled.txt')
    given = read_split(toy / 'splits/labeled.txt')
    assert labeled[: len(given)] == given
    extra = set(labeled[len(given) :])
    assert extra and extra <= set(read_split(toy / 'splits/unlabeled.txt'))
    assert 'pseudo/accepted' in printed and (first / 'epoch_1.pth').is_file()
    again = run(*command, SSVAD_TOY=str(toy))
    assert 'Epoch' not in again and str(first / 'epoch_1.pth') in again
