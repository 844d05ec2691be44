"""tools/report.py: a page for a run, and for detections in files."""

import base64
import json
import os
import re
import shutil
from html import unescape

import av
import pytest

import eval_detections
import report as tool
from report_detections import evaluate_files
from report_examples import clip_blocks, error_blocks
from report_run import find_checkpoint
from tests.tools.report_world import (
    HOSTILE,
    finished_world,
    make_world,
    write_detections,
)
from tests.toy_run import forget_runs


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The world and the page of its run."""
    folder = finished_world(tmp_path_factory.getbasetemp())
    return folder, (folder / 'run/report.html').read_text('utf-8')


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """The world as training leaves it."""
    folder = tmp_path_factory.mktemp('made')
    make_world(folder)
    return folder


@pytest.fixture
def world(made, tmp_path):
    return shutil.copytree(made, tmp_path / 'world')


def page_of(*args):
    forget_runs()
    tool.main([str(arg) for arg in args])
    return (args[0] / 'report.html').read_text('utf-8')


def evaluate(world, videos=None):
    """What is found in the files of the world."""
    options = list(map(str, write_detections(world)))
    return evaluate_files(world / 'annotations.json', options, videos)


def sections_of(page):
    """Anchor of each section -> its text with tags."""
    found = re.findall(r'<section id="(\w+)".*?>(.*?)</section>', page, re.DOTALL)
    return dict(found)


def missing_of(html):
    notes = re.findall(r'<p class="note missing">(.*?)</p>', html, re.DOTALL)
    return unescape(' '.join(notes))


def table_of(html, title):
    """Rows of a table as lists of texts."""
    (table,) = re.findall(
        rf'{re.escape(title)}</\w+>\s*<div.*?(<table.*?</table>)', html, re.DOTALL
    )
    rows = re.findall(r'<tr>(.*?)</tr>', table, re.DOTALL)
    cells = [re.findall(r'<t[hd].*?>(.*?)</t[hd]>', row) for row in rows]
    return [[unescape(cell.replace('<wbr>', '')) for cell in row] for row in cells]


def videos_of(html):
    return [
        base64.b64decode(d) for d in re.findall(r'data:video/mp4;base64,([^"]+)', html)
    ]


@pytest.mark.slow
def test_the_page_of_a_run_has_all_of_it(finished):
    parts = sections_of(finished[1])
    expected = ['standard', 'capsule', 'videos', 'errors', 'training', 'config']
    assert list(parts) == expected
    assert missing_of(finished[1]) == ''
    for anchor, images in dict(standard=6, capsule=1, training=2).items():
        assert parts[anchor].count('<img') == images, anchor
    assert len(videos_of(parts['videos'])) == 5
    assert parts['errors'].count('<img') >= 5
    assert (
        'CapsuleRoutingHead' in parts['config'] and 'test_dataloader' in parts['config']
    )


@pytest.mark.slow
def test_its_numbers_are_those_of_the_evaluation(finished):
    folder, page = finished
    reports = json.loads((folder / 'run/report_test/evaluation.json').read_text())
    parts = sections_of(page)
    for protocol, report in reports.items():
        rows = dict(table_of(parts[protocol], 'All metrics (%)')[1:])
        assert rows == {k: f'{v:.2f}' for k, v in report['metrics'].items()}
        head, *rows = table_of(parts[protocol], 'Per class')
        for i, row in enumerate(rows):
            for name, cell in zip(head, row):
                value = report['per_class'][name][i]
                assert cell == (
                    f'{value:.2f}' if isinstance(value, float) else str(value)
                )


@pytest.mark.slow
def test_protocols_stand_apart_with_a_warning(finished):
    parts = sections_of(finished[1])
    for mine, other in (('standard', 'capsule_'), ('capsule', 'video_mAP')):
        html = re.sub(r'data:[^"]*', '', parts[mine])
        assert other not in html.replace('<wbr>', '')
        assert 'class="note warning">Two protocols, never to be mixed' in html


@pytest.mark.slow
def test_hostile_names_stay_names(finished):
    _, page = finished
    assert '<script' not in page and 'onerror=alert' not in re.sub(
        '&lt;.*?&gt;', '', page
    )
    assert page.count('</style>') == 1
    text = unescape(re.sub(r'<[^>]*>', '', page))
    assert HOSTILE in text and 'wave & {{ 7 * 7 }}' in text


@pytest.mark.slow
def test_clips_are_h264_that_browsers_play(finished, tmp_path):
    for number, data in enumerate(videos_of(finished[1])):
        (tmp_path / f'{number}.mp4').write_bytes(data)
        with av.open(str(tmp_path / f'{number}.mp4')) as container:
            (stream,) = container.streams
            assert stream.codec_context.name == 'h264'
            assert stream.codec_context.pix_fmt == 'yuv420p'
            assert stream.width >= 640 and stream.width % 2 == stream.height % 2 == 0
            assert 16 <= sum(1 for _ in container.decode(video=0)) <= 20


@pytest.mark.slow
def test_detections_from_files(world, capsys):
    args = [world / 'annotations.json', *write_detections(world)]
    eval_detections.main([*map(str, args), '--out-file', str(world / 'result.json')])
    metrics = json.loads((world / 'result.json').read_text())['standard']['metrics']
    tool.main([*map(str, args), '--out', str(world / 'report.html'), '--clips', '1'])
    page = (world / 'report.html').read_text('utf-8')
    parts = sections_of(page)
    assert list(parts) == ['missing', 'standard', 'videos', 'errors', 'config']
    rows = dict(table_of(parts['standard'], 'All metrics (%)')[1:])
    assert rows == {key: f'{value:.2f}' for key, value in metrics.items()}
    assert len(videos_of(parts['videos'])) == 3
    # shifted by nothing, and of a wrong class
    best, _, worst = re.findall(r'tube IoU (\d\.\d\d)', parts['videos'])
    assert (best, worst) == ('1.00', '0.00')
    assert 'no capsule protocol' in missing_of(parts['missing'])


@pytest.mark.slow
@pytest.mark.parametrize('given', ['--boxes', '--tubes'])
def test_what_was_not_detected_is_said(world, given):
    boxes, tubes = write_detections(world)[1:4:2]
    path = {'--boxes': boxes, '--tubes': tubes}[given]
    out = world / 'page.html'
    layout = '--pixel half-open --first-frame 0'.split()
    source = str(world / 'annotations.json')
    tool.main([source, given, str(path), '--out', str(out), *layout])
    parts = sections_of(out.read_text('utf-8'))
    lacks = dict(videos='tubes') if given == '--boxes' else dict(errors='boxes')
    for anchor, what in lacks.items():
        assert f'no {what} were evaluated' in missing_of(parts[anchor])
        assert f'No {what} were given' in missing_of(parts['standard'])


def test_without_videos_the_page_says_so(world):
    (world / 'videos').rename(world / 'elsewhere')
    found = evaluate(world)
    assert not found.files
    sections = tool.evaluation_sections(found._replace(reports={}), {}, 1, tool.NO_LOGS)
    notes = [note.text for section in sections for note in section.blocks]
    assert len(notes) == 2 and all('--video-root' in note for note in notes)
    assert set(evaluate(world, world / 'elsewhere').files) == set(found.names)
    with pytest.raises(ValueError, match='gone'):
        evaluate(world, world / 'gone')


def test_single_videos_that_cannot_be_shown_are_named(world):
    (world / 'videos/v1.mp4').write_bytes(b'no video')
    (world / 'videos/v2.mp4').unlink()
    *blocks, note = clip_blocks(evaluate(world), 2)
    assert sum(len(block.pictures) for block in blocks[1:]) == 3
    assert note.text.startswith('2 videos could not be shown')
    assert 'v1.mp4' in note.text and 'v2.mp4' in note.text


def test_boxes_of_another_size_are_not_drawn(world):
    path = world / 'annotations.json'
    path.write_text(path.read_text().replace('"width":80', '"width":160'))
    blocks = clip_blocks(evaluate(world), 2), error_blocks(evaluate(world))
    for first, *rest, note in blocks:
        assert first.kind == 'note' and {block.kind for block in rest} <= {'note'}
        assert 'is 80 x 48, its boxes are annotated for 160 x 48' in note.text


def test_logs_alone(world):
    page = page_of(world / 'run', '--no-test')
    parts = sections_of(page)
    assert list(parts) == ['missing', 'standard', 'capsule', 'training', 'config']
    assert 'was not evaluated (--no-test)' in missing_of(parts['missing'])
    # the last evaluation on the way, both networks
    rows = table_of(parts['standard'], 'All metrics (%)')
    assert rows[0] == ['metric', 'student', 'teacher']
    assert ['frame_mAP@0.50', '53.00', '–'] in rows and [
        'video_acc',
        '–',
        '53.00',
    ] in rows


def test_a_run_without_checkpoint_or_logs(world):
    (world / 'run/epoch_1.pth').unlink()
    option = 'randomness.seed=77'
    shutil.rmtree(world / 'run/20260101_000000')
    parts = sections_of(page_of(world / 'run', '--cfg-options', option))
    assert option in parts['config']
    assert list(parts) == ['missing', 'training', 'config']
    told = missing_of(parts['missing'])
    assert 'no checkpoint' in told and 'The logs hold no metrics either' in told
    assert 'no log of a training' in missing_of(parts['training'])


@pytest.mark.parametrize(
    'args, message',
    [
        (['empty'], 'expected the one config file'),
        (['run', '--checkpoint', 'gone.pth'], "checkpoint 'gone.pth' not found"),
        (['annotations.json', '--boxes', 'gone.npz'], 'gone.npz'),
    ],
)
def test_mistakes_are_one_line(world, monkeypatch, capsys, args, message):
    monkeypatch.chdir(world)
    (world / 'empty').mkdir()
    with pytest.raises(SystemExit) as caught:
        tool.main(args)
    (line,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 1 and message in line


@pytest.mark.parametrize(
    'args',
    [
        ['run', '--boxes', 'b.npz'],
        ['run', '--video-root', 'x'],
        ['annotations.json'],
        ['annotations.json', '--boxes', 'b.npz', '--no-test'],
        ['run', '--clips', '-1'],
        ['gone.json', '--boxes', 'b.npz'],
    ],
)
def test_wrong_command_lines(world, monkeypatch, capsys, args):
    monkeypatch.chdir(world)
    with pytest.raises(SystemExit) as caught:
        tool.main(args)
    assert caught.value.code == 2 and 'usage:' in capsys.readouterr().err


def test_a_moved_folder_finds_its_checkpoint(tmp_path):
    assert find_checkpoint(tmp_path) is None
    for time, name in enumerate(('epoch_1.pth', 'epoch_2.pth')):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    (tmp_path / 'last_checkpoint').write_text('/gone/epoch_1.pth')
    assert find_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
