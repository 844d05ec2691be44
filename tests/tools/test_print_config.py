"""tools/print_config.py: what it prints is the config."""

import pytest
from mmengine.config import Config

import print_config as tool
from tests.helpers import ROOT

CONFIG = ROOT / 'configs/toy_semi_cepm.py'


def test_what_is_printed_is_a_config_that_inherits_nothing(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv('SSVAD_TOY', 'elsewhere')
    tool.main(
        [str(CONFIG), '--cfg-options', 'randomness.seed=3', 'model.detector=None']
    )
    printed = capsys.readouterr().out
    assert '_base_' not in printed
    (tmp_path / 'printed.py').write_text(printed)
    expected = Config.fromfile(CONFIG)
    expected.merge_from_dict({'randomness.seed': 3, 'model.detector': None})
    found = Config.fromfile(tmp_path / 'printed.py')
    assert found.to_dict() == expected.to_dict()
    assert found.source.data_root == 'elsewhere'


def test_the_old_name_of_the_option_is_known(capsys):
    tool.main([str(CONFIG), '--options', 'log_level=DEBUG'])
    assert "log_level = 'DEBUG'" in capsys.readouterr().out


def test_a_missing_config_is_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        tool.main(['nowhere.py'])
    assert left.value.code == 2
    assert capsys.readouterr().err.endswith("error: config 'nowhere.py' not found\n")
