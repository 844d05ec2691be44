"""docs/adding_a_method.md: its files, in a folder of a user's own, train."""

import ast
import json
import os
import re
import shlex
import sys

import pytest
import torch
from mmaction.registry import MODELS

from tests.helpers import ROOT, TINY_DETECTOR, make_batch

PAGE = (ROOT / 'docs/adding_a_method.md').read_text('utf-8')
FILES = {
    block.split('\n', 1)[0].removeprefix('# '): block
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
}
BLOCKS = re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)
COMMANDS = ''.join(BLOCKS).replace('\\\n', ' ').splitlines()
TERMS = dict(
    SureMasks={'loss_agreement', 'loss_entropy', 'foreground'},
    PatientMasks={'loss_patient', 'sure'},
)
METHODS = [name for name in FILES if 'SemiMethod' in FILES[name]]


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A folder with the files of the page beside our configs."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    yield tmp_path
    for name in METHODS:  # another test writes them elsewhere
        sys.modules.pop(os.path.basename(name)[:-3], None)
    for name in TERMS:
        MODELS.module_dict.pop(name, None)


@pytest.mark.slow
def test_every_command_of_the_page_runs(user, run, tmp_path):
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        words = shlex.split(command)
        assignments = words[: words.index('python')]
        words = [sys.executable, *words[len(assignments) + 1 :]]
        env = dict(word.split('=') for word in assignments)
        if 'PYTHONPATH' in env:
            env['PYTHONPATH'] += os.pathsep + str(ROOT)
        if 'make_toy_dataset' in command:
            words += shlex.split('--num-train 16 --num-test 2 --labeled-fraction 0.5')
        run(*words, **env)
    for folder, terms in zip(('sure', 'patient'), TERMS.values()):
        log = next((user / 'work_dirs' / folder).glob('*/vis_data/2*.json'))
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        (row,) = (row for row in rows if 'loss' in row)
        assert terms | {'loss_cls', 'loss_mask_bce', 'loss_mask_dice'} <= set(row)
        assert all(row[term] > 0 for term in terms)
        total = sum(value for key, value in row.items() if key.startswith('loss_'))
        assert row['loss'] == pytest.approx(total, rel=1e-4)
    assert any(key.startswith('teacher/stad') for row in rows for key in row)


@pytest.mark.parametrize('path', METHODS)
def test_methods_of_the_page_are_short_and_hold_what_it_says(path, user, monkeypatch):
    assert len(FILES[path].splitlines()) < 40
    monkeypatch.syspath_prepend(user / 'mine')
    exec(compile(FILES[path], path, 'exec'), {'__name__': os.path.basename(path)})
    classes = [n for n in ast.parse(FILES[path]).body if isinstance(n, ast.ClassDef)]
    method = MODELS.get(classes[0].name)
    model = MODELS.build(
        dict(
            type='SemiDetector',
            detector=TINY_DETECTOR,
            method=dict(type=method.__name__),
            teacher=dict(decay=0.9) if method.needs_teacher else None,
        )
    )
    if method.needs_teacher:
        model.update_teacher()
        with torch.no_grad():  # what is equal teaches nothing
            model.teacher['detector'].head.smooth.bias.add_(1)
    for labels in ([0, None], [0, 1], [None, None]):
        losses = model(*make_batch(labels, views=method.views), mode='loss')
        assert all(torch.isfinite(value) for value in losses.values())
        terms = TERMS[method.__name__]
        for term in terms - {'foreground', 'sure'}:
            model.zero_grad()
            losses[term].backward(retain_graph=True)
            weight = model.detector.backbone.Conv3d_1a_7x7.conv3d.weight
            learns = (weight.grad != 0).any()
            assert learns == (term != 'loss_entropy' or None in labels)


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)]+)\)', PAGE))
def test_links_lead_somewhere(link):
    assert (ROOT / 'docs' / link).exists()


def test_what_a_step_offers_is_there():
    source = (ROOT / 'ssvad/models/semi/step.py').read_text()
    for name in set(re.findall(r'step\.(\w+)\(', PAGE)):
        assert f'def {name}(' in source, name
