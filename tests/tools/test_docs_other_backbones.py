"""docs/other_backbones.md: its code is a network that trains, its commands hold."""

import json
import re
import shlex
import sys

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import cli
from ssvad.apis.model_loading import read_config
from tests.helpers import ROOT

PAGE = (ROOT / 'docs/other_backbones.md').read_text('utf-8')
BLOCKS = ''.join(re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = [shlex.split(line) for line in BLOCKS.splitlines()]
BACKBONE, CONFIG = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
# the page is the same, only smaller and shorter
SHORT = {
    'make_toy_dataset.py': ['--num-train', '20', '--num-test', '4'],
    'train.py': [
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=9',
        'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=0',
        'default_hooks.logger.interval=1',
    ],
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder with the two files of the page."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'my_backbone.py').write_text(BACKBONE)
    (tmp_path / 'my_config.py').write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    MODELS.module_dict.pop('ThreeConvolutions', None)
    sys.modules.pop('my_backbone', None)


@pytest.mark.slow
def test_your_own_backbone_trains(written, tool):
    ran = []
    for words in COMMANDS:
        if words[0].startswith('PYTHONPATH='):
            words = words[1:]
        name = words[1].rpartition('/')[2]
        if name in SHORT and 'configs/' not in words[2]:
            tool(name, *words[2:], *SHORT[name])
            ran.append(words[1:])
    assert ran[-1] == ['tools/train.py', 'my_config.py'] and len(ran) == 2
    (log,) = (written / 'work_dirs/my_config').glob('*/vis_data/2*.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    rows = [row for row in rows if 'loss' in row]
    assert any('loss_cons_mask' in row for row in rows)
    assert all(torch.isfinite(torch.tensor(row['loss'])) for row in rows)


@pytest.mark.parametrize(
    'words', [w for w in COMMANDS if len(w) > 2 and 'configs/' in w[2]], ids=str
)
def test_commands_describe_networks(words, tool, monkeypatch):
    monkeypatch.chdir(ROOT)
    parser = cli.make_parser('')
    cfg = cli.load_config(parser, parser.parse_args(words[2:]))
    backbone = cfg.model.detector.backbone
    assert backbone.type == 'AdaptedBackbone'
    assert ('init_cfg' in backbone) is ('--cfg-options' in words)
    init_default_scope('mmaction')
    # Swin reads tensors while it is built
    with torch.device('cpu' if 'swin' in words[2] else 'meta'):
        built = MODELS.build(dict(backbone, init_cfg=None))
    # the table says how large they are
    (row,) = (
        x for x in PAGE.splitlines() if words[2].rpartition('/')[2] in x and '|' in x
    )
    size = sum(p.numel() for p in built.parameters()) / 1e6
    assert float(row.split('|')[4]) == round(size, 1)


def test_the_config_of_the_page_has_the_maps_of_its_head(written):
    cfg = read_config(written / 'my_config.py')
    assert cfg.model.type == 'SemiDetector'
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        mask, scores, _ = model(torch.rand(1, 3, 8, 32, 40))
    assert mask.shape == (1, 8, 32, 40) and scores.shape == (1, 4)


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()
