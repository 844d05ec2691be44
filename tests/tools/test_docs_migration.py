"""docs/migration.md: our keys do on the real configs what the page says they do."""

import re
import runpy
import shlex
import subprocess
import sys

import pytest
import torch
from mmaction.registry import METRICS, MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import nn

from ssvad.annotations import read_split
from tests.docs_pages import blocks, commands, read, words
from tests.helpers import ROOT
from tests.tools import foreign_formats as formats

PAGE = read('docs/migration.md')
# of main.py, main_ucf101.py and main_jhmdb.py
FLAGS = """bs epochs model_name lr pf pretrained loc_loss exp_id pkl_file_label
pkl_file_unlabel const_loss wt_loc wt_cls wt_cons seed thresh_epoch workers n_frames bv
predict_maps bv_wt cyclic gv lower_thresh upper_thresh gv_wt seg_loss wt_seg viz
seed_num""".split()
SECTION = PAGE.split('## Every flag')[1].split('\n## ')[0]
ROWS = [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in SECTION.splitlines()
    if line.startswith('| ') and 'flag |' not in line
]
SETTING = re.compile(r'`([a-z_0-9]+(?:\.\w+)+)=([^`]+)`')
CONFIG = re.compile(r'`(configs/[\w/]+\.py)`')
CASES = [
    (row[0], CONFIG.search(row[2]), key, value)
    for row in ROWS
    for key, value in SETTING.findall(row[2])
]


def test_every_flag_of_the_scripts_has_a_row():
    named = set(re.findall(r'`--(\w+)|(?<=[ `])--(\w+)', ' '.join(r[0] for r in ROWS)))
    assert {a or b for a, b in named} == set(FLAGS)
    # each row sets something, names a config or an argument, or says that it does not
    for flag, _, ours in ROWS:
        assert re.search(r'`configs/|`--|`SSVAD|=|^nothing: ', ours), flag


def lookup(tree, key):
    """What a config or a model has at a dotted path."""
    for name in key.split('.'):
        if isinstance(tree, nn.ModuleList):
            (tree,) = tree
        if isinstance(tree, nn.Module):
            tree = getattr(tree, name)
        else:
            tree = tree[int(name) if name.isdecimal() else name]
    return tree


@pytest.mark.parametrize('flag, config, key, value', CASES, ids=lambda v: str(v)[:50])
def test_settings_reach_what_is_built(flag, config, key, value):
    init_default_scope('mmaction')
    name = config[1] if config else 'configs/reference/ucf24_semi_var.py'
    before = Config.fromfile(ROOT / name)
    parent, _, last = key.rpartition('.')
    cfg = Config.fromfile(ROOT / name)
    wanted = DictAction._parse_iterable(value)
    cfg.merge_from_dict({key: wanted})
    assert lookup(cfg, key) == wanted
    if not key.startswith('model.'):
        assert last in lookup(before, parent), 'a new key, which nothing reads'
        return
    if last == 'type':
        (attention,) = lookup(built(cfg), parent[6:])
        assert type(attention).__name__ == wanted
    elif last == 'checkpoint':
        assert lookup(before, key) != wanted
    else:
        found = lookup(built(cfg), key[6:])
        assert (list(found) if isinstance(wanted, list) else found) == wanted
        if wanted not in (5, 'CyclicVariance'):
            assert lookup(built(before), key[6:]) != found


def built(cfg):
    with torch.device('meta'):
        return MODELS.build(cfg.model)


def test_configs_of_the_page_are_the_methods_it_says():
    init_default_scope('mmaction')
    for end, names in dict(
        var=['CyclicVariance'],
        grad=['GradientSmoothness'],
        both=['CyclicVariance', 'GradientSmoothness'],
        l2=[],
    ).items():
        assert f'`configs/reference/ucf24_semi_{end}.py`' in SECTION
        model = built(Config.fromfile(ROOT / f'configs/reference/ucf24_semi_{end}.py'))
        assert [type(a).__name__ for a in model.method.attention] == names


def test_presets_hold_the_values_of_the_released_commands():
    cfg = Config.fromfile(ROOT / 'configs/reference/ucf24_semi_var.py')
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.train_dataloader.batch_size == 8
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4, eps=1e-6)
    init_default_scope('mmaction')
    model = built(cfg)
    losses = model.detector.loss_mask, model.detector.loss_cls
    weights = losses[0].bce_weight, losses[0].dice_weight, losses[1].loss_weight
    assert (*weights, model.method.loss_weight) == (1, 1, 1, 0.1)
    assert model.method.attention[0].window == 5
    assert model.detector.warmup_epochs == 10
    assert cfg.randomness.seed == 47


def test_arguments_of_train_exist(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    parse = runpy.run_path(str(ROOT / 'tools/train.py'))['parse_args']
    (given,) = (row[2] for row in ROWS if row[0].startswith('`--seed '))
    (folder,) = (row[2] for row in ROWS if row[0].startswith('`--exp_id'))
    line = ' '.join(['train.py', 'configs/ucf24_sup.py', given, folder])
    monkeypatch.setattr(sys, 'argv', shlex.split(line.replace('`', '')))
    _, args = parse()
    assert (args.seed, args.work_dir) == (48, 'work_dirs/name')


def test_settings_of_the_evaluation_exist():
    init_default_scope('mmaction')
    cfg = Config.fromfile(ROOT / 'configs/reference/ucf24_semi_var.py')
    section = PAGE.split('## Evaluation')[1]
    options = dict(SETTING.findall(section))
    assert len(options) == 2
    cfg.merge_from_dict(
        {key: DictAction._parse_iterable(value) for key, value in options.items()}
    )
    metric = METRICS.build(cfg.test_evaluator)
    assert (metric.annotation, metric.seed) == ('random', 47)
    saved = cfg.default_hooks.checkpoint.save_best
    assert all(key.startswith('stad/capsule') for key in saved)


def test_lists_of_the_released_code(tmp_path, tool):
    names = [f'Basketball/v_Basketball_g{index:02}_c01' for index in range(8, 18)]
    videos = {name: (9, [(0, 2, [[2, 2, 30, 40]] * 4)]) for name in names}
    formats.write_pyannot(tmp_path / 'pyannot.pkl', videos)
    parts = dict(labeled=(names[:3], 1), unlabeled=(names[3:], 0))
    for kind, (part, flag) in parts.items():
        share = 20 if flag else 80
        path = tmp_path / f'train_annots_{share}_{kind}.pkl'
        formats.write_split_pickle(path, {name: videos[name] for name in part}, flag)
    for command in commands(blocks('docs/migration.md')[0]):
        if command.startswith('python'):
            tool('convert_ucf24.py', *words(command)[2:])
        else:
            subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    for kind, (part, _) in parts.items():
        path = tmp_path / f'data/ucf24/splits/released/{kind}.txt'
        assert sorted(read_split(path)) == part
