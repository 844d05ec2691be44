"""Whatever format the reference detections are written in, they are the same."""

import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eval_detections as tool
from conversion.findings import Findings
from detections.suppression import suppress_hard, suppress_soft
from detections.truth import read_truth
from ssvad.evaluation.frame_ap import FrameBoxes
from tests.evaluation import golden
from tests.tools import detection_files as files


def read(kind, path, *args, videos=60):
    """FrameBoxes or tubes of a file, as the tool reads it."""
    command = [golden.ROOT / 'gt.npz', f'--{kind}', path, *args]
    args = tool.parse_args(list(map(str, command)))
    truth = read_truth(golden.ROOT / 'gt.npz', files.NAMES[:videos])
    return getattr(tool, f'read_{kind}')(args, truth, Findings())


def rows(boxes):
    """All columns, sorted: pickles of frames hold the boxes in another order."""
    table = np.column_stack(boxes)
    return table[np.lexsort(table.T)]


def assert_same_boxes(found, atol=0.0, videos=60):
    expected = golden.det_boxes()
    expected = expected.take(np.flatnonzero(expected.video < videos))
    expected = expected._replace(boxes=expected.boxes - 1)
    np.testing.assert_allclose(rows(found), rows(expected), rtol=0, atol=atol)


def assert_same_tubes(found):
    def key(tube):
        return tube.video, tube.label, tube.score

    expected = sorted(golden.det_tubes(), key=key)
    for ours, theirs in zip(sorted(found, key=key), expected):
        assert ours[:3] == theirs[:3] and ours.score == theirs.score
        np.testing.assert_array_equal(ours.boxes, theirs.boxes - 1)
    assert len(found) == len(expected)


def test_npz():
    assert_same_boxes(read('boxes', golden.ROOT / 'detections.npz'))
    assert_same_tubes(read('tubes', golden.ROOT / 'tubes.npz'))


def test_npz_of_plain_numbers_and_names(tmp_path):
    video, frame, label, scores, boxes = files.golden_columns()
    order = np.random.default_rng(0).permutation(len(video))
    new = np.random.default_rng(1).permutation(60)
    columns = dict(frame=frame, label=label, score=scores, boxes=boxes)
    columns = {key: column[order] for key, column in columns.items()}
    columns['names'] = np.array(files.NAMES)[np.argsort(new)]
    np.savez(tmp_path / 'a.npz', video=new[video[order]], **columns)
    assert_same_boxes(read('boxes', tmp_path / 'a.npz'))
    del columns['names']
    names = '\n'.join(files.NAMES[i] for i in np.argsort(new))
    (tmp_path / 'list.txt').write_text(names)
    np.savez(tmp_path / 'b.npz', video=new[video[order]], **columns)
    listed = '--video-list', tmp_path / 'list.txt'
    assert_same_boxes(read('boxes', tmp_path / 'b.npz', *listed))


def test_other_counting(tmp_path):
    video, frame, label, scores, boxes = files.golden_columns()
    columns = dict(video=video, frame=frame - 1, label=label, score=scores)
    for pixel, shift in (('half-open', [-1, -1, 0, 0]), ('inclusive', -1)):
        np.savez(tmp_path / 'a.npz', boxes=boxes + shift, **columns)
        args = '--first-frame', 0, '--pixel', pixel
        assert_same_boxes(read('boxes', tmp_path / 'a.npz', *args))


def test_coco(tmp_path):
    boxes, tubes, tables = files.coco_boxes(), files.coco_tubes(), files.coco_tables()
    whole = files.write_json(tmp_path / 'a.json', {'annotations': boxes, **tables})
    assert_same_boxes(read('boxes', whole), atol=1e-9)
    alone = files.write_json(tmp_path / 'b.json', boxes)
    other = '--coco-tables', files.write_json(tmp_path / 'c.json', tables)
    assert_same_boxes(read('boxes', alone, *other), atol=1e-9)
    assert_same_tubes(
        read('tubes', files.write_json(tmp_path / 't.json', tubes), *other)
    )


def test_coco_without_tables(tmp_path):
    boxes = files.coco_boxes()
    for item in boxes:
        video, frame = divmod(item.pop('image_id'), 10000)
        item.update(video=files.NAMES[video], frame=frame)
        item['label'] = item.pop('category_id') - 1
    assert_same_boxes(read('boxes', files.write_json(tmp_path / 'a.json', boxes)), 1e-9)


def test_act_and_moc_pickles(tmp_path):
    assert_same_boxes(read('boxes', files.write_act_boxes(tmp_path / 'boxes.pkl')))
    for writer, digits in (('act', 6), ('moc', 5)):
        folder = files.write_act_frames(tmp_path / writer, writer, digits)
        found = read('boxes', folder, '--suppress', 'none', videos=4)
        assert_same_boxes(found, videos=4)
        assert_same_tubes(read('tubes', files.write_act_tubes(folder, writer == 'moc')))
        # ACT drops boxes, MOC lowers scores, unless told otherwise
        left = len(read('boxes', folder, videos=4).label)
        assert (left < len(found.label)) == (writer == 'act')
        kept = read(
            'boxes', folder, *('--suppress', 'hard', '--suppress-iou', 1), videos=4
        )
        assert len(kept.label) == len(found.label)


def test_detections_on_several_frames(tmp_path):
    """K = 2: every detection has a box on the frame and one on the next."""
    one = files.write_json(tmp_path / 'a.json', {
        'format': 'ssvad-tubes-1', 'classes': ['a', 'b'], 'videos': [
            {'id': name, 'file': name, 'width': 99, 'height': 99, 'num_frames': n,
             'tubes': []} for name, n in (('long', 3), ('short', 1))]})  # fmt: skip
    table = np.arange(1, 9, dtype=np.float32)
    for number in (1, 2):
        row = np.r_[table + number, 0.5][None]
        data = {1: np.zeros((0, 9)), 2: row}
        files.write_pickle(tmp_path / f'moc/long/0000{number}.pkl', data)
    args = tool.parse_args([str(one), '--boxes', str(tmp_path / 'moc')])
    found = tool.read_boxes(args, read_truth(one), Findings())
    assert found.frame.tolist() == [0, 1, 1, 2]
    assert found.label.tolist() == [1] * 4 and found.video.tolist() == [0] * 4
    assert found.boxes[:, 0].tolist() == [1, 5, 2, 6]
    assert found.boxes[:, 3].tolist() == [5, 9, 6, 10]


class Attack:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f'touch {self.trace}',)


def test_a_malicious_pickle_does_nothing(tmp_path, capsys):
    trace = tmp_path / 'trace'
    folder = tmp_path / 'act'
    for name in files.NAMES[:1]:
        files.write_pickle(folder / f'{name}/00001.pkl', {1: Attack(trace)})
        files.write_pickle(folder / f'{name}_tubes.pkl', {0: [(Attack(trace), 1.0)]})
    whole = files.write_pickle(tmp_path / 'frame_detections.pkl', Attack(trace))
    for kind, path in (('boxes', whole), ('boxes', folder), ('tubes', folder)):
        with pytest.raises(ValueError, match='refused to load .*system'):
            read(kind, path)
    assert not trace.exists()
    pickle.loads(whole.read_bytes())  # but it would have
    assert trace.exists()


def test_a_small_pickle_of_endless_lists_is_refused_at_once(tmp_path):
    lists = [1.0]
    for _ in range(60):
        lists = [lists, lists]
    for data in (lists, {1: lists}, {1: [(lists, 1.0)]}, (lists, lists)):
        path = files.write_pickle(tmp_path / 'a.pkl', data)
        with pytest.raises(ValueError, match='a.pkl: expected an array'):
            read('boxes', path)
        for name in ('/00001.pkl', '_tubes.pkl'):
            file = files.write_pickle(tmp_path / f'act/{files.NAMES[0]}{name}', data)
            assert file.stat().st_size < 2000
        for kind in ('boxes', 'tubes'):
            with pytest.raises(ValueError, match='expected an? '):
                read(kind, tmp_path / 'act')


def literal_soft(rows, iou_thr):
    """MOC's loop over a sorted list, each score weighed at most once."""
    order, weight = sorted(range(len(rows)), key=lambda i: -rows[i][1]), {}
    while order:
        best, order = order[0], order[1:]
        for other in list(order):
            a, b = rows[best][0], rows[other][0]
            sides = [min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1)]
            inter = max(sides[0], 0) * max(sides[1], 0)
            areas = [(r[2] - r[0]) * (r[3] - r[1]) for r in (a, b)]
            iou = inter / (sum(areas) - inter)
            if iou > iou_thr:
                weight[other] = 1 - iou
                order.remove(other)
    return [score * weight.get(i, 1) for i, (_, score) in enumerate(rows)]


corner = st.tuples(st.integers(0, 5), st.integers(1, 5)).map(lambda s: (s[0], sum(s)))
box = st.tuples(corner, corner).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


@settings(max_examples=50)
@given(st.lists(box, max_size=7), st.permutations(range(1, 8)), st.integers(0, 9))
def test_suppression_is_the_literal_loop(boxes, scores, tenth):
    scores = np.array(scores[: len(boxes)], float)
    whose = np.zeros(len(boxes), int)
    table = np.array(boxes, float).reshape(-1, 4)
    found = FrameBoxes(whose, whose, whose, table, scores)
    wanted = literal_soft(list(zip(boxes, scores)), tenth / 10)
    soft = suppress_soft(found, 1, tenth / 10)
    np.testing.assert_allclose(soft.scores, wanted)
    # both look at the same pairs: what one lowers the other drops
    kept = suppress_hard(found, 1, tenth / 10)
    assert kept.scores.tolist() == scores[soft.scores == scores].tolist()
    # and boxes of other frames, classes and videos are left alone
    apart = found._replace(frame=np.arange(len(boxes)))
    assert suppress_soft(apart, 1, 0.0).scores.tolist() == scores.tolist()


def test_json_is_read_with_a_byte_order_mark(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('\ufeff' + json.dumps([]), encoding='utf-8')
    assert len(read('boxes', path).label) == 0
    assert read('tubes', path) == []
