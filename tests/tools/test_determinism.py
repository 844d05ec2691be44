"""Same seed, same weights; and the commands of docs/determinism.md, docs/reliability.md
that are about it.
"""

import re
import shlex
import sys

import pytest
import torch

from tests.helpers import ROOT
from tests.noisy_run import assert_equal

pytestmark = pytest.mark.slow

CONFIG = ROOT / 'configs/toy_semi_var.py'
SHORT = ['train_cfg.max_epochs=1', 'train_dataloader.sampler.num_rounds=12']
PAGES = {
    name: (ROOT / f'docs/{name}.md').read_text('utf-8')
    for name in ('determinism', 'reliability')
}


@pytest.fixture
def toy(tool, tmp_path, monkeypatch):
    """A toy set of 8 training videos, 4 labelled."""
    counts = ['--num-train', 8, '--num-test', 4, '--labeled-fraction', 0.5]
    tool('make_toy_dataset.py', '--out-dir', tmp_path / 'toy', *counts)
    monkeypatch.setenv('SSVAD_TOY', str(tmp_path / 'toy'))


def commands(page, heading, script):
    """Arguments of a tool after the config, for each call below a heading."""
    section = re.split(rf'^## {heading}$', PAGES[page], flags=re.MULTILINE)[1]
    section = re.split(r'^## ', section, flags=re.MULTILINE)[0]
    blocks = re.findall(r'```bash\n(.*?)```', section, re.DOTALL)
    lines = ''.join(blocks).replace('\\\n', ' ').splitlines()
    calls = [shlex.split(line) for line in lines if script in line]
    assert calls
    for words in calls:
        assert words[:3] == ['python', f'tools/{script}', 'configs/toy_semi_var.py']
    return [words[3:] for words in calls]


def with_options(words, *options):
    """A command line with more --cfg-options, which have to come last."""
    return [*words, *([] if '--cfg-options' in words else ['--cfg-options']), *options]


def weights(folder):
    path = (folder / 'last_checkpoint').read_text()
    return torch.load(path, map_location='cpu')['state_dict']


def test_two_processes_make_the_same_weights(run, toy, tmp_path):
    first, second = commands('determinism', 'On a CPU', 'train.py')
    for number, words in enumerate((first, second)):
        words = with_options(words, *SHORT)
        train = ROOT / 'tools/train.py'
        # the order of sets differs between processes unless it is fixed
        run(sys.executable, train, CONFIG, *words, PYTHONHASHSEED=str(number))
    first, second = (weights(tmp_path / f'work_dirs/{n}') for n in ('first', 'second'))
    assert_equal(first, second)
    untrained = [key for key in first if torch.equal(first[key], 0 * first[key])]
    assert len(untrained) < len(first) / 4


def test_commands_to_resume_within_an_epoch(tool, toy, tmp_path):
    start, resume = commands('reliability', 'Resume within an epoch', 'train.py')
    assert resume[0] == '--resume' and resume[1:] == start
    checkpoint = 'default_hooks.checkpoint.interval'
    assert any(word.startswith(checkpoint) for word in start)
    for name, workers in (('none', 0), ('two', 2)):
        more = [*SHORT, f'{checkpoint}=2', f'train_dataloader.num_workers={workers}']
        words = with_options(start, *more)
        tool('train.py', CONFIG, '--work-dir', name, '--no-validate', *words)
    whole = weights(tmp_path / 'none')
    assert_equal(weights(tmp_path / 'two'), whole)  # whatever the workers

    (tmp_path / 'none/iter_3.pth').unlink()
    (tmp_path / 'none/last_checkpoint').write_text(str(tmp_path / 'none/iter_2.pth'))
    words = with_options(resume, *SHORT, f'{checkpoint}=2')
    tool('train.py', CONFIG, '--work-dir', 'none', '--no-validate', *words)
    assert (tmp_path / 'none/last_checkpoint').read_text().endswith('iter_3.pth')
    assert_equal(weights(tmp_path / 'none'), whole)


def test_a_loss_that_is_not_finite_is_named_and_computed_again(
    tool, toy, tmp_path, capsys
):
    infinite = 'model.detector.loss_mask.bce_weight=1e39'
    (words,) = commands('reliability', 'Numerical health', 'recompute_step.py')
    folder = tmp_path / words[0].rpartition('/')[0]
    named = (
        r'iteration 1 \(epoch 1\): loss_mask_bce = inf in .*\S+ frames \d+-\d+, \S+ f'
    )
    with pytest.raises(FloatingPointError, match=named):
        options = ['--cfg-options', *SHORT, infinite]
        tool('train.py', CONFIG, '--work-dir', folder, *options)
    capsys.readouterr()
    tool('recompute_step.py', CONFIG, *words, '--cfg-options', infinite)
    printed = capsys.readouterr().out
    values = re.findall(r'^(\w+): recorded (\S+), recomputed (\S+)$', printed, re.M)
    assert ('loss_mask_bce', 'inf', 'inf') in values and len(values) >= 4
    for name, recorded, recomputed in values:
        assert recorded == recomputed, name
    assert re.search(r'frames \d+-\d+$', printed, re.MULTILINE)
