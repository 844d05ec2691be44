"""One step of the full network, ours and written out, against the released one.

Runs of one to two minutes in float64, shared by the tests of this file. The written-out
step runs on one of the two cases: its other gate, the arg-max, is that of inference.
"""

import importlib

import numpy as np
import pytest
import torch

from tests import golden_network as golden
from tests import golden_step
from tests.docs_pages import blocks, commands, words
from tests.helpers import ROOT

# gigabytes each, so one after the other
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('memory')]
RUNS = [('ours', 'ep3_bvgv'), ('ours', 'ep12_bv'), ('written out', 'ep3_bvgv')]
# of our step in each case what a table has room for
ROWS = {}


def norm_of(found, name):
    return golden_step.gradient_norm(found.gradients, name)


@pytest.fixture(scope='module', params=RUNS, ids=' '.join)
def run(request):
    who, case = request.param
    step = golden_step.ours if who == 'ours' else golden_step.written_out
    found, expected = step(case), golden_step.expected(case)
    if who == 'ours':
        ROWS[case] = found._replace(
            logits=[],
            scores=[],
            acts=np.zeros(0),
            state={},
            gradients={
                name: torch.tensor(norm_of(found, name), dtype=torch.float64)
                for name in expected['gradnorm_names']
            },
        )
    return found, expected


def test_losses(run):
    found, expected = run
    row = golden_step.loss_row(found.losses)
    np.testing.assert_allclose(row, expected['losses'], 1e-12)


def test_masks(run):
    found, expected = run
    for view, logits in zip(('', 'flip_'), found.logits):
        np.testing.assert_allclose(
            golden.stats(logits), expected[f'{view}logits_stats'], 1e-11
        )
    # stored in float32: half a unit of its last place
    part = found.logits[0][:, None, :, ::12, ::12]
    np.testing.assert_allclose(part, expected['logits_sub'], 6e-8, 1e-12)


def test_class_activations(run):
    found, expected = run
    for view, scores in zip(('', 'flip_'), found.scores):
        np.testing.assert_allclose(scores, expected[f'{view}scores'], 1e-12)
    np.testing.assert_allclose(found.acts[:, ::19], expected['acts_sub'], 6e-8)


def test_gradients(run):
    found, expected = run
    assert len(expected['gradnorms']) == 25
    for name, norm in zip(expected['gradnorm_names'], expected['gradnorms']):
        ours = norm_of(found, name)
        # true size 1e-6 and less: what cancels in the routing leaves rounding behind
        limit = 1e-8 if name.startswith('primary_caps.a') else 1e-10
        assert ours == pytest.approx(norm, rel=limit), name


def test_running_statistics_have_seen_both_views(run):
    found, expected = run
    for key, unit in (
        ('Conv3d_1a_7x7_running_mean', 'conv1.Conv3d_1a_7x7'),
        ('Mixed_4f_running_var', 'conv1.Mixed_4f.b2b'),
    ):
        buffer = found.state[f'{unit}.bn.running_{key.split("_")[-1]}']
        np.testing.assert_allclose(buffer, expected[key], 1e-13, 1e-15, err_msg=key)
    assert found.state['conv1.Mixed_4f.b2b.bn.num_batches_tracked'] == 2


def test_the_command_of_the_page(monkeypatch, capsys):
    """The tool compares the steps that were taken above."""
    monkeypatch.syspath_prepend(ROOT / 'tools')
    take = golden_step.ours
    monkeypatch.setattr(
        golden_step, 'ours', lambda case, dtype: ROWS.get(case) or take(case, dtype)
    )
    (command,) = commands(blocks('docs/fidelity.md')[0])
    start, script, *given = words(command)
    assert (start, script) == ('python', 'tools/check_fidelity.py')
    importlib.import_module('check_fidelity').main(given)
    printed = capsys.readouterr().out
    assert printed.count('| gradient norm, ') == 25 * len(golden_step.CASES)
