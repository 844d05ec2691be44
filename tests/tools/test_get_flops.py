"""tools/get_flops.py counts what inference multiplies."""

import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.analysis import FlopAnalyzer
from mmengine.config import Config
from torch import nn

import get_flops as tool
from tests.helpers import ROOT, TINY_DETECTOR

SHAPE = (1, 3, 8, 32, 40)


def tiny(implementation):
    head = dict(TINY_DETECTOR['head'], implementation=implementation)
    return MODELS.build(dict(TINY_DETECTOR, head=head)).eval()


def test_layers_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 5)
    )
    counts = tool.count_multiply_adds(model, (2, 3, 4, 4))
    # outputs times weights of each
    assert counts['0'] == 2 * (2 * 2 * 4) * 27
    assert counts['2'] == 2 * 5 * 16
    assert counts[''] == counts['0'] + counts['2']


def test_published_layers_are_what_mmengine_counts():
    model = tiny('plain')
    with torch.no_grad():
        analyzer = FlopAnalyzer(model, (torch.rand(SHAPE),))
        by_operator = analyzer.unsupported_ops_warnings(False).by_operator()
    counts = tool.count_multiply_adds(model, SHAPE)
    assert counts[''] == sum(by_operator.values()) - by_operator['batch_norm']
    assert counts[''] == counts['backbone'] + counts['head']


def test_autograd_functions_are_looked_into():
    """Upstream's counter misses the primary capsules; ours must not."""
    fast, plain = (tool.count_multiply_adds(tiny(i), SHAPE) for i in ('fast', 'plain'))
    assert fast['head.primary'] == plain['head.primary'] > 0
    assert fast['backbone'] == plain['backbone']
    assert fast[''] < plain['']


@pytest.fixture
def count(capsys):
    def run(*arguments):
        tool.main(list(map(str, arguments)))
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_figures_of_the_pages(count, monkeypatch):
    """docs/methods.md and docs/performance.md name them, too."""
    page = (ROOT / 'docs/tools.md').read_text('utf-8')
    first, second = re.findall(r'^python tools/get_flops.py (.*)$', page, re.MULTILINE)
    monkeypatch.chdir(ROOT)
    printed = count(*first.split())
    assert 'Clip: 8 frames of 112 x 112, RGB' in count(*second.split())
    (shown,) = re.findall(r'```text\n(Clip.*?)```', page, re.DOTALL)
    assert printed.endswith(shown) and 'as published: 60.634 G' in shown
    rows = re.findall(r'^(\S.*?) {2,}([\d.]+) M +([\d.]+) G$', printed, re.MULTILINE)
    parts = [row for row in rows if row[0] not in ('all', 'backbone', 'head')]
    (whole,) = (row for row in rows if row[0] == 'head')
    for column in (1, 2):
        total = sum(float(row[column]) for row in parts)
        assert total == pytest.approx(float(whole[column]), abs=0.01)


def test_teachers_and_methods_cost_nothing_at_inference(count):
    toy = [count(ROOT / f'configs/toy_{name}.py') for name in ('sup', 'semi_cepm')]
    assert toy[0] == toy[1]
    # computed layer by layer already
    assert 'as published' not in toy[0]


@pytest.mark.parametrize('shape, expected', [
    ([], (1, 3, 8, 32, 40)),
    ([48], (1, 3, 8, 48, 48)),
    ([48, 64], (1, 3, 8, 48, 64)),
    ([16, 48, 64], (1, 3, 16, 48, 64)),
])  # fmt: skip
def test_shapes(shape, expected):
    cfg = Config.fromfile(ROOT / 'configs/toy_sup.py')
    assert tool.full_shape(shape, cfg) == expected


@pytest.mark.parametrize('arguments, message', [
    (['nowhere.py'], "config 'nowhere.py' not found"),
    ([ROOT / 'configs/toy_sup.py', '--shape', 8, 44, 44], 'multiples of 8'),
    ([ROOT / 'configs/toy_sup.py', '--shape', 1, 3, 8, 32, 32], 'S, H W or T H W'),
    ([ROOT / 'configs/toy_sup.py', '--cfg-options', 'test_dataloader=None'],
     'give --shape T H W'),
])  # fmt: skip
def test_errors_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        tool.main(list(map(str, arguments)))
    assert left.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
