"""The reference files through the tool give the reference values."""

import json
import re

import numpy as np
import pytest

import eval_detections as tool
from detections.linking import link_multisports
from ssvad.annotations import save_annotations
from tests.evaluation import golden
from tests.tools.detection_files import NAMES, VIDEOS

TRUTH = golden.ROOT / 'gt.npz'
BOXES = '--boxes', golden.ROOT / 'detections.npz'
TUBES = '--tubes', golden.ROOT / 'tubes.npz'
THRS = [*map(str, golden.VIDEO_THRS), '0.5:0.95:0.05']
MOC_LINKING = ('--suppress', 'soft', '--link', 'greedy', '--link-options',
               'iou_thr=0.5', 'max_gap=1', 'min_len=15', 'min_score=0.005')  # fmt: skip


def evaluate(*args, truth=TRUTH):
    return tool.evaluate(tool.parse_args(list(map(str, [truth, *args]))))


def assert_agrees(report, key, expected, atol=1e-4):
    wanted = expected['per_class']
    np.testing.assert_allclose(report.per_class[key], wanted, rtol=0, atol=atol)
    assert report.metrics[key] == pytest.approx(expected['mean'], abs=atol)


def write_annotations(path):
    """The reference's ground truth as an annotation file."""
    videos = [
        {
            'id': video['name'],
            'file': f'{video["name"]}.avi',
            **{key: VIDEOS[key] for key in ('width', 'height')},
            'num_frames': video['num_frames'],
            'tubes': [
                {'label': t.label, 'start': t.start, 'boxes': t.boxes - 1}
                for t in golden.gt_tubes()
                if t.video == i
            ],
        }
        for i, video in enumerate(VIDEOS['videos'])
    ]
    save_annotations(path, VIDEOS['classes'], videos)
    return path


@pytest.mark.parametrize('kind', ['npz', 'json'])
def test_act_values(kind, tmp_path):
    truth = TRUTH if kind == 'npz' else write_annotations(tmp_path / 'a.json')
    report = evaluate(*BOXES, *TUBES, '--video-thrs', *THRS, truth=truth)
    for thr in ('0.2', '0.5'):
        key = f'frame_mAP@{float(thr):.2f}'
        assert_agrees(report, key, golden.act(f'frameAP@{thr}'))
    tubes = golden.act('videoAP ready-made tubes (tube NMS 0.3)')
    assert len(tubes) == 12
    for thr, expected in tubes.items():
        assert_agrees(report, f'video_mAP@{thr.replace(":", "-")}', expected)
    assert report.facts['frames'] == 8766


def test_overridden_convention():
    args = '--video-thrs', *THRS, '--override', 'tube_nms=null'
    report = evaluate(*TUBES, *args)
    for thr, expected in golden.act('videoAP ready-made tubes (no tube NMS)').items():
        assert_agrees(report, f'video_mAP@{thr.replace(":", "-")}', expected)
    assert not any(key.startswith('frame') for key in report.metrics)


def test_suppression_and_linking_of_moc():
    report = evaluate(*BOXES, *MOC_LINKING, '--video-thrs', *THRS)
    expected = golden.act('frameAP@0.5 after MOC per-frame soft-NMS 0.6')
    assert_agrees(report, 'frame_mAP@0.50', expected)
    linked = golden.act('linking K=1')
    assert report.per_class['detected tubes'] == linked['num_tubes_per_class']
    for thr, expected in golden.act('videoAP linked tubes (tube NMS 0.3)').items():
        assert_agrees(report, f'video_mAP@{thr.replace(":", "-")}', expected)


@pytest.mark.parametrize(
    ('options', 'key', 'tubes', 'scores'),
    [
        ((), 'with the score bug fixed', 184, 184),
        (('--link-options', 'as_released=true'), 'AS RELEASED', 186, 10),
    ],
)
def test_linking_of_multisports(options, key, tubes, scores):
    thrs = '--video-thrs', '0.2', '0.5'
    args = *BOXES, '--preset', 'multisports', *thrs, '--link', 'multisports', *options
    report = evaluate(*args)
    reference = golden.expected('expected_others')['results']
    for thr in ('0.20', '0.50'):
        expected = reference[f'MultiSports link_tubes+videoAP {key} @{thr}']
        assert_agrees(report, f'video_mAP@{thr}', expected, atol=1e-8)
    assert sum(report.per_class['detected tubes']) == tubes
    as_released = key == 'AS RELEASED'
    found = link_multisports(golden.det_boxes(), as_released)
    assert len({tube.score for tube in found}) == scores
    if as_released:
        counted = reference['MultiSports linked tube scores']
        assert counted == {'num_tubes': tubes, 'num_distinct_scores': scores}


def test_no_boxes_or_a_weak_last_one_give_no_tubes():
    boxes = golden.det_boxes().take(np.arange(2000))
    none = boxes.take(np.zeros(0, int))
    assert link_multisports(none) == link_multisports(none, True) == []
    # as released, its score is that of all, and tubes below 0.005 are dropped
    boxes.scores[-1] = 0.0049
    assert link_multisports(boxes, True) == [] != link_multisports(boxes)


def test_yowo_links_whole_videos(tmp_path):
    split = tmp_path / 'one.txt'
    split.write_text(NAMES[7] + '\n')
    one = '--split', split, '--video-list', tmp_path / 'all.txt', '--skip-unknown'
    one[3].write_text('\n'.join(NAMES) + '\n')
    args = *BOXES, *one, '--link', 'viterbi'
    report = evaluate(*args, '--video-thrs', '0.2')
    tubes = np.array(report.per_class['detected tubes'])
    boxes = np.array(report.per_class['detected boxes'])
    # three for a class with many boxes, fewer if a frame runs out of them
    assert tubes.max() <= 3 and ((tubes > 0) == (boxes > 0)).all()
    report = evaluate(*args, '--link-options', 'max_tracks=1')
    assert report.per_class['detected tubes'] == (boxes > 0).astype(int).tolist()


def test_presets_differ():
    names = 'act', 'yowo', 'multisports'
    found = {evaluate(*BOXES, '--preset', n).metrics['frame_mAP@0.50'] for n in names}
    assert len(found) == 3


def test_a_split_evaluates_its_videos_only(tmp_path):
    split = tmp_path / 'some.txt'
    split.write_text('\n'.join(NAMES[:5]) + '\n')
    listed = tmp_path / 'all.txt'
    listed.write_text('\n'.join(NAMES) + '\n')
    # the files still number all videos
    args = '--split', split, '--video-list', listed, '--skip-unknown'
    report = evaluate(*BOXES, *TUBES, *args)
    offset = np.load(golden.ROOT / 'detections.npz')['video_offset']
    assert report.facts['detected boxes'] == offset[5]
    remarks = ' '.join(report.facts['remarks'])
    left_out = 9144 - sum(
        len(tube.boxes) for tube in golden.det_tubes() if tube.video < 5
    )
    numbers = map(int, re.findall(r'(\d+) boxes of videos without ground', remarks))
    assert sum(numbers) == offset[-1] - offset[5] + left_out
    with pytest.raises(ValueError, match='--skip-unknown'):
        evaluate(*BOXES, *args[:-1])
    with pytest.raises(ValueError, match='61 whole|5 parts'):
        evaluate(*BOXES, *args[:2])


def test_prints_tables_and_writes_json(tmp_path, capsys):
    out = tmp_path / 'deep/result.json'
    tool.main([str(TRUTH), *map(str, BOXES), '--out-file', str(out)])
    printed = capsys.readouterr().out
    assert re.search(r'\| Basketball .* 39\.85', printed)
    assert re.search(r'frame_mAP@0\.50 +49\.93\n', printed)
    written = json.loads(out.read_text())['standard']
    assert written['metrics']['frame_mAP@0.50'] == pytest.approx(49.93, abs=5e-3)
    assert len(written['per_class']['class']) == 24
    assert str(golden.ROOT) not in out.read_text()


@pytest.mark.parametrize(
    'args, message',
    [
        ([], 'nothing to evaluate'),
        ([*TUBES, '--link', 'greedy'], '--link makes tubes'),
        ([*BOXES, '--override', 'ap=best'], 'best'),
        ([*BOXES, '--override', 'unknown=1'], 'unknown'),
        ([*BOXES, '--override', 'ap'], 'key=value'),
        ([*BOXES, '--link', 'greedy', '--link-options', 'gap=3'], 'gap'),
        ([*BOXES, '--frame-thrs', '50'], '50'),
        ([*BOXES, '--frame-thrs', 'half'], 'half'),
        ([*BOXES, '--preset', 'coco'], 'coco'),
    ],
)
def test_a_wrong_command_line_leaves_with_status_2(args, message, capsys):
    with pytest.raises(SystemExit) as left:
        tool.main(list(map(str, [TRUTH, *args])))
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_a_wrong_file_leaves_with_status_1(tmp_path, capsys):
    for args in (
        ['--boxes', tmp_path / 'none.npz'],
        ['--boxes', tmp_path / 'none.txt'],
        ['--tubes', tmp_path / 'none.json'],
        [*BOXES, '--split', tmp_path / 'none.list'],
    ):
        with pytest.raises(SystemExit) as left:
            tool.main(list(map(str, [TRUTH, *args])))
        assert left.value.code == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and args[-1].stem in lines[0]
