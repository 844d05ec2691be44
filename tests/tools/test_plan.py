"""Plans: the arithmetic, the tool on real (small) videos, and the page about it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import make_toy_dataset
import plan as tool
from tests.helpers import ROOT

PAGE = (ROOT / 'docs/planning.md').read_text('utf-8')
CONFIG = str(ROOT / 'configs/toy_semi_var.py')
MEASURED = tool.Measured([445, 1839], 3678, 8, 0.013, [3.7e5, 3.7e5], 192, 384)


def test_the_page_says_what_the_tool_computes():
    rows = re.findall(r'^\| ([\d.]+) \| ([\d.]+) (s|min|h) .* \| (\d) \|$', PAGE, re.M)
    kinetics = MEASURED._replace(clips=480_000, load_seconds=0.016)
    for number, (seconds, epoch, unit, workers) in enumerate(rows):
        measured = MEASURED if number < 4 else kinetics
        plan = tool.make_plan(measured, float(seconds), gpus=1)
        scale = dict(s=1, min=60, h=3600)[unit]
        assert plan.epoch_seconds / scale == pytest.approx(float(epoch), rel=0.02)
        assert plan.workers == int(workers)
    assert len(rows) == 8


@given(
    st.floats(1e-3, 10),
    st.integers(1, 64),
    st.integers(1, 10**6),
    st.floats(1e-4, 1),
    st.integers(1, 64),
)
def test_nothing_is_forgotten_and_loaders_keep_up(seconds, gpus, clips, load, batch):
    measured = MEASURED._replace(clips=clips, load_seconds=load, batch=batch)
    plan = tool.make_plan(measured, seconds, gpus)
    assert (plan.steps - 1) * batch * gpus < clips <= plan.steps * batch * gpus
    assert plan.epoch_seconds == plan.steps * seconds
    # so many workers load a batch while a step runs, one less do not
    needed = batch * load
    assert plan.workers * seconds >= needed * (1 - 1e-9)
    assert (plan.workers - 1) * seconds <= needed * (1 + 1e-9)
    assert plan.checkpoint == 192 + 384


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy')
    arguments = ['--out-dir', folder, '--num-train', 20, '--num-test', 4]
    make_toy_dataset.main(list(map(str, arguments)))
    return folder


@pytest.fixture
def planned(toy, monkeypatch, capsys):
    """Run the tool on the toy videos; returns its lines by their first word."""
    monkeypatch.setenv('SSVAD_TOY', str(toy))

    def run(*more):
        tool.main([CONFIG, '--step-seconds', '0.5', '--samples', '3', *more])
        lines = capsys.readouterr().out.splitlines()
        return {line.split()[0]: line for line in lines[-5:]}

    return run


def count(path):
    return len(path.read_text().split())


def test_a_plan_of_videos_that_are_there(planned, toy):
    lines = planned()
    labeled, unlabeled = (
        count(toy / f'splits/{name}.txt') for name in ('labeled', 'unlabeled')
    )
    assert f' {labeled} + {unlabeled}, ' in lines['videos']
    steps = -(-2 * unlabeled // 8)
    assert f'{2 * unlabeled} clips, {steps} steps of 8: ' in lines['epoch']
    assert ' 16 epochs: ' in lines['training']
    assert re.search(r'[\d.]+ ms a clip: \d+ workers .* has 1\)', lines['loading'])
    # float32 weights and running statistics; Adam keeps two more of what it trains
    whole, weights = map(int, re.findall(r'(\d+) MB', lines['checkpoint']))
    assert 2.9 <= whole / weights <= 3.1


def test_a_plan_of_videos_that_are_not_there_yet(planned):
    lines = planned('--unlabeled', '240000', '--gpus', '4')
    assert ' + 240000, ' in lines['videos']
    assert '480000 clips, 15000 steps of 32: 2.08 h' in lines['epoch']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.py', '--step-seconds', '1'], "config 'none.py' not found"),
        ([CONFIG, '--step-seconds', '0'], '--step-seconds must be above 0, got 0.0'),
        (
            [CONFIG.replace('_semi_var', '_sup'), '--step-seconds=1', '--unlabeled=9'],
            'none of it unlabelled',
        ),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as left:
        tool.main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err
