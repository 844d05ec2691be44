"""The table that users see, without the minutes that the real step takes."""

import importlib
import re

import numpy as np
import pytest
import torch

from tests import golden_step
from tests.helpers import ROOT


@pytest.fixture
def check_fidelity(monkeypatch):
    """The tool, with a step that gives the recorded values times a factor."""
    module = importlib.import_module('check_fidelity')

    def pretend(factor):
        def step(case, dtype):
            data = golden_step.expected(case)
            total, localisation, cls, cons = data['losses']
            losses = dict(total=factor * total, bce=0.0, cls=cls, cons=cons)
            losses['dice'] = localisation
            gradients = {
                name: torch.tensor(norm, dtype=torch.float64)
                for name, norm in zip(data['gradnorm_names'], data['gradnorms'])
            }
            return golden_step.Found(losses, [], [], np.zeros(0), gradients, {})

        monkeypatch.setattr(golden_step, 'ours', step)
        return module

    return pretend


def test_agreement_is_reported_row_by_row(check_fidelity, capsys):
    check_fidelity(1.0).main(['--cases', 'ep12_bv'])
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(('| loss', '| gradient'))]
    assert len(rows) == 4 + 25
    assert 'largest relative difference' in lines[-2]


def test_deviation_fails_the_command(check_fidelity):
    with pytest.raises(SystemExit, match='NOT the released one'):
        check_fidelity(1.001).main(['--cases', 'ep12_bv'])


def test_page_shows_the_recorded_values():
    page = (ROOT / 'docs/fidelity.md').read_text()
    for case in golden_step.CASES:
        table = page.split(f'| {case} |')[1].split('\n\n')[0]
        rows = re.findall(r'\| (.*) \| (\S+) \| (\S+) \| (\S+) \|', table)
        data = golden_step.expected(case)
        released = [float(row[2]) for row in rows if row[2][0].isdigit()]
        expected = [*data['losses'], *data['gradnorms']]
        assert released == pytest.approx(expected, rel=1e-9)
        for name, ours, _, difference in rows[1:]:
            if 'primary_caps.a' not in name and ours[0].isdigit():
                assert float(difference) < 1e-8, name
