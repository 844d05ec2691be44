"""docs/training.md: its commands run, the fields of the log are those it explains."""

import json
import re
import shlex
import sqlite3
import struct
from collections import defaultdict
from pathlib import Path

import cv2
import pytest

from tests.helpers import ROOT
from tests.models.methods import METHODS

PAGE = (ROOT / 'docs/training.md').read_text('utf-8')
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.DOTALL)
    for line in block.replace('\\\n', ' ').splitlines()
]
FILES = {
    block.split('\n', 1)[0].removeprefix('# '): block
    for block in re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
}
SHORT = [
    '--cfg-options',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
    'train_dataloader.sampler.num_rounds=8',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'default_hooks.logger.interval=1',
]
MADE, PLAIN, OWN, BOARD, BEST = COMMANDS


@pytest.fixture
def user(tool, tmp_path):
    """A folder with the configs and toy data of the page, and a way to run tools."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def run(words, *extra):
        if 'train.py' in words[0]:
            extra = [*SHORT, *extra]
        tool(Path(words[0]).name, *words[1:], *extra)

    run(MADE, '--num-train', 16, '--num-test', 2, '--labeled-fraction', 0.5)
    return run


def summary_of(folder):
    text = (folder / 'summary.txt').read_text()
    commands = re.findall(r'^  python (.*)$', text, re.M)
    return text, [shlex.split(command) for command in commands]


@pytest.mark.slow
def test_a_run_says_what_the_page_says(user, tmp_path, capsys):
    user(PLAIN)
    work = tmp_path / 'work_dirs/toy_semi_var'
    printed = capsys.readouterr()
    (line,) = re.findall(r'Epoch\(train\) \[1\]\[2/2\].*', printed.out + printed.err)
    (log,) = work.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    fields = set(re.findall(r'(\w+): ', line))
    assert set(rows[0]) - {'epoch', 'iter', 'step'} | {'eta'} == fields
    explained = re.findall(r'`(\w+)`', PAGE.split('## The line')[1])
    assert fields <= set(explained)
    assert rows[1]['loss'] == pytest.approx(rows[1]['sup_loss'] + rows[1]['unsup_loss'])
    assert rows[1]['labeled_clips'] == rows[1]['unlabeled_clips'] == 4
    assert rows[1]['labeled_per_s'] * rows[1]['time'] == pytest.approx(4)
    pictures = sorted(path.name for path in (work / 'pictures').iterdir())
    assert pictures == ['epoch_1_test_0000.png', 'epoch_1_test_0001.png']
    assert cv2.imread(str(work / 'pictures' / pictures[0])).std() > 5
    text, _ = summary_of(work)
    assert text in printed.out + printed.err
    for name, value in rows[-1].items():
        if 'mAP' in name:
            assert re.search(rf'{re.escape(name)} +{value:.2f} +1 +{value:.2f}\n', text)


@pytest.mark.slow
def test_commands_of_the_summary_run_after_a_resumed_training(user, tmp_path):
    user(BEST)
    user(BEST, 'train_cfg.max_epochs=2', '--resume')
    work = 'work_dirs/toy_semi_var'
    text, (evaluate, _, report) = summary_of(tmp_path / work)
    assert '2 epochs done' in text and 'best checkpoint: ' in text
    assert report == [str(ROOT / 'tools/report.py'), work]
    checkpoint = evaluate[2]
    assert 'best_stad_frame_mAP@0.50' in checkpoint
    before = set((tmp_path / work).glob('*/*.json'))
    user(evaluate)
    (table,) = set((tmp_path / work).glob('*/*.json')) - before
    metrics = json.loads(table.read_text())
    row = re.search(r'stad/frame_mAP@0.50 +([\d.]+) ', text)
    assert metrics['stad/frame_mAP@0.50'] == pytest.approx(float(row[1]), abs=0.006)
    user(report)
    assert (tmp_path / work / 'report.html').is_file()


@pytest.mark.slow
def test_own_interval_without_validation(user, tmp_path):
    user(OWN, '--no-validate')
    pictures = tmp_path / 'work_dirs/my_run/pictures'
    assert sorted(path.name for path in pictures.iterdir()) == [
        'views_epoch_1_labelled.png',
        'views_epoch_1_unlabelled.png',
    ]
    text, (_, infer, _) = summary_of(tmp_path / 'work_dirs/my_run')
    assert 'No metrics' in text
    user(infer, '--no-progress')
    found = tmp_path / 'work_dirs/my_run/infer'
    assert {path.suffix for path in found.iterdir()} == {'.json', '.mp4', '.png'}


@pytest.mark.slow
def test_numbers_and_pictures_reach_tensorboard(user, tmp_path):
    reader = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    user(BOARD)
    (folder,) = (tmp_path / 'work_dirs/toy_semi_var').glob('*/vis_data')
    assert (folder / 'scalars.json').is_file()
    board = reader.EventAccumulator(str(folder))
    board.Reload()
    scalars, images = board.Tags()['scalars'], board.Tags()['images']
    wanted = {'loss', 'sup_loss', 'unsup_loss', 'lr', 'stad/frame_mAP@0.50'}
    assert wanted <= set(scalars)
    assert set(images) == {'detections/test_0000', 'detections/test_0001'}
    assert board.Images(images[0])[0].step == 1


def wandb_records(path):
    """What is in a .wandb file: a log of LevelDB, in blocks, after seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, record, block = path.read_bytes(), 7, b'', 2**15
    while at < len(data):
        if block - at % block < 7:  # too short for the head of a part
            at += block - at % block
            continue
        _, size, kind = struct.unpack_from('<IHB', data, at)
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or its last part
            yield Record.FromString(record)
            record = b''


def logged_rows(folder):
    """Two steps and a validation, as the local file has them."""
    (path,) = folder.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 3 and 'stad/frame_mAP@0.50' in rows[2]
    return rows


@pytest.mark.slow
def test_numbers_and_pictures_reach_wandb(user, tmp_path, monkeypatch):
    wandb = pytest.importorskip('wandb', reason='needs wandb')
    monkeypatch.setenv('WANDB_MODE', 'offline')
    user([word.replace('Tensorboard', 'Wandb') for word in BOARD])
    wandb.finish()
    work = tmp_path / 'work_dirs/toy_semi_var'
    (folder,) = work.glob('*/vis_data/wandb/offline-run-*')
    (path,) = folder.glob('*.wandb')
    found = [
        {'/'.join(item.nested_key): json.loads(item.value_json) for item in items}
        for items in (record.history.item for record in wandb_records(path))
        if items
    ]
    rows = logged_rows(work)
    written = [row for row in found if 'time' in row]
    assert len(written) == 3
    for row, theirs in zip(rows, written):
        row.pop('step')
        assert {key: theirs[key] for key in row} == pytest.approx(row)
    pictures = {path.name[:9] for path in folder.rglob('media/**/*.png')}
    assert pictures == {'test_0000', 'test_0001'}


@pytest.mark.slow
def test_numbers_and_pictures_reach_mlflow(user, tmp_path):
    mlflow = pytest.importorskip('mlflow', reason='needs mlflow')
    user(['tools/train.py', 'with_mlflow.py'])
    mlflow.end_run()
    with sqlite3.connect(tmp_path / 'mlflow.db') as base:
        metrics = base.execute('select key, step, value from metrics').fetchall()
    found = defaultdict(list)  # `time` of a training step and of a validation
    for key, step, value in metrics:
        found[key, step].append(value)
    for row in logged_rows(tmp_path / 'work_dirs/with_mlflow'):
        step = row.pop('step')
        for key, value in row.items():
            assert pytest.approx(value) in found[key.replace('@', '_'), step]
    pictures = {path.name for path in tmp_path.rglob('detections/*.png')}
    assert pictures == {'test_0000_1.png', 'test_0001_1.png'}


def test_terms_that_see_the_truth_are_those_of_the_page():
    rows = PAGE.split('### What is labelled')[1]
    for case in METHODS.values():
        for term in case.own_terms:
            assert term in rows or re.sub('_[a-z]+$', '_*', term) in rows


def test_named_files_exist():
    for link in re.findall(r'\]\((?!http)([^)]+)\)', PAGE):
        assert (ROOT / 'docs' / link).is_file()
