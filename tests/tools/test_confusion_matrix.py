"""tools/confusion_matrix.py: from checkpoints, dumps and files of boxes."""

import json
import pickle

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

import confusion_matrix as tool
from detections.confusion import box_confusion
from detections.dumped_results import read_dump
from ssvad.annotations import load_annotations, save_annotations
from ssvad.evaluation.frame_ap import FrameBoxes
from tests.apis.inference import CLASSES, moving, world
from tests.evaluation import golden
from tests.toy_run import forget_runs

K = 3


def boxes(rows):
    """FrameBoxes of (frame, label, left edge, score) rows; squares of 10."""
    frame, label, left, score = np.array(rows, float).reshape(-1, 4).T
    corners = np.stack([left, 0 * left, left + 10, 0 * left + 10], 1)
    return FrameBoxes(
        0 * frame.astype(int), frame.astype(int), label.astype(int), corners, score
    )


def literal(gt, det, iou_thr, score_thr):
    """The rules as the tool tells them, one after the other, for squares of 10."""
    matrix, taken = np.zeros((K + 1, K + 1), int), set()
    order = sorted(range(len(det)), key=lambda d: -det[d][3])
    for d in order:
        frame, label, left, score = det[d]
        if score < score_thr:
            continue
        best = None
        for g, (f, _, at, _) in enumerate(gt):
            shared = max(10 - abs(at - left), 0)
            iou = shared / (20 - shared)
            if f == frame and g not in taken and iou >= iou_thr:
                if best is None or iou > best[0]:
                    best = iou, g
        if best:
            taken.add(best[1])
        matrix[gt[best[1]][1] if best else K, label] += 1
    for g in set(range(len(gt))) - taken:
        matrix[gt[g][1], K] += 1
    return matrix


rows = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, K - 1),
        st.integers(0, 25),
        st.sampled_from([0.1, 0.3, 0.5, 0.9]),
    ),
    max_size=7,
)


@given(rows, rows, st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.0, 0.3]))
def test_the_rules(gt, det, iou_thr, score_thr):
    matrix = box_confusion(boxes(gt), boxes(det), K, iou_thr, score_thr)
    assert matrix.tolist() == literal(gt, det, iou_thr, score_thr).tolist()
    # every annotated box once in a row, every detection once in a column
    counted = [row for row in det if row[3] >= score_thr]
    for label in range(K):
        assert matrix[label].sum() == sum(row[1] == label for row in gt)
        assert matrix[:, label].sum() == sum(row[1] == label for row in counted)
    assert matrix[K, K] == 0


def test_a_right_box_is_right_whatever_else_is_found():
    gt = boxes([(0, 1, 0, 0)])
    det = boxes([(0, 1, 0, 0.9), (0, 2, 0, 0.8), (1, 1, 0, 0.9), (0, 1, 30, 0.2)])
    matrix = box_confusion(gt, det, K, 0.5, 0.3)
    assert matrix.nonzero()[0].tolist() == [1, K, K] and matrix[1, 1] == 1


def test_shares():
    matrix = np.array([[1, 2], [0, 0]])
    assert tool.shares(matrix).tolist() == [[33, 67], [0, 0]]


def test_lines():
    matrix = np.array([[6, 1, 3], [0, 0, 0], [2, 0, 0]])
    first, last = tool.class_lines(matrix, ['run', 'jump', tool.BACKGROUND])
    assert first.split() == 'run 10 60.0 % background 3, jump 1'.split()
    assert last.split() == 'background 2 run 2'.split()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Config and weights of a detector that takes what is bright for an action."""
    folder = tmp_path_factory.mktemp('trained')
    films = {name: moving(16 + 8 * n) for n, name in enumerate('abc')}
    config, weights = world(folder, films)
    videos = load_annotations(folder / 'annotations.json')['videos']
    for label, video in enumerate(videos[:2]):
        square = [[45 - abs(40 - 2 * f % 80), 10, 65 - abs(40 - 2 * f % 80), 30]
                  for f in range(video['num_frames'])]  # fmt: skip
        video['tubes'] = [dict(label=label, start=0, boxes=square)]
    save_annotations(folder / 'annotations.json', CLASSES, videos)
    cfg = Config.fromfile(config)
    loader = dict(batch_size=1, num_workers=0)
    loader['sampler'] = dict(type='DefaultSampler', shuffle=False)
    cfg.test_dataloader.update(loader)
    cfg.test_cfg = dict()
    cfg.dump(config)
    return folder, config, weights


def run(capsys, tmp_path, *arguments):
    """Numbers of the JSON file, and what was printed."""
    forget_runs()
    out = tmp_path / 'out.json'
    tool.main([*map(str, arguments), '--out', str(out)])
    return json.loads(out.read_text()), capsys.readouterr().out


@pytest.mark.slow
def test_checkpoint_and_dump_agree(trained, tool_test, tmp_path, capsys):
    folder, config, weights = trained
    dump = tool_test(config, weights)
    found = {}
    for source in (weights, dump):
        for level in ('video', 'box'):
            numbers, printed = run(
                capsys, tmp_path, config, source, '--level', level, '--score-thr', 0.1
            )
            found.setdefault(level, []).append(numbers)
    assert found['video'][0] == found['video'][1]
    assert found['box'][0] == found['box'][1]
    videos, taken = (np.array(found[level][0]['matrix']) for level in ('video', 'box'))
    assert found['video'][0]['classes'] == list(CLASSES)
    # the third video is not annotated
    assert videos.sum(1).tolist() == [1, 1, 0]
    assert found['box'][0]['classes'] == [*CLASSES, 'background']
    assert taken[:3].sum(1).tolist() == [16, 24, 0]
    # the square is found wherever it is not alone, and something else besides
    assert taken[:3, :3].sum() > 0 < taken[3].sum()
    best = int(videos[0].argmax())
    # one class for a box, that of its video, though others have scores, too
    assert taken[:, :3].sum() == taken[:, best].sum()


@pytest.fixture
def tool_test(tool, tmp_path):
    """Run tools/test.py; returns its dump."""

    def run(config, weights):
        tool('test.py', config, weights, '--dump', 'dump.pkl', '--work-dir', 'w')
        return tmp_path / 'dump.pkl'

    return run


def test_boxes_of_other_detectors(tmp_path, capsys):
    picture = tmp_path / 'new/boxes.png'
    files = golden.ROOT / 'gt.npz', golden.ROOT / 'detections.npz'
    numbers, printed = run(
        capsys, tmp_path, *files, '--show-path', picture, '--normalize'
    )
    matrix = np.array(numbers['matrix'])
    gt, det = golden.gt_boxes(), golden.det_boxes()
    assert matrix.sum(1)[:-1].tolist() == np.bincount(gt.label, minlength=24).tolist()
    sure = det.label[det.scores >= 0.3]
    assert matrix.sum(0)[:-1].tolist() == np.bincount(sure, minlength=24).tolist()
    assert numbers['iou_thr'] == 0.5 and numbers['level'] == 'box'
    assert matrix[numbers['classes'].index('Skiing')].argmax() in (16, 17)
    assert cv2.imread(str(picture)).std() > 20
    chosen, printed = run(capsys, tmp_path, *files, '--target-classes', 16, 17)
    kept = [16, 17, 24]
    assert chosen['classes'] == ['Skiing', 'Skijet', 'background']
    assert chosen['matrix'] == matrix[np.ix_(kept, kept)].tolist()
    assert 'Skijet 160' in printed


class Evil:
    def __reduce__(self):
        return open, ('ran', 'w')


@pytest.mark.parametrize('content', [Evil(), [], {'a': 1}, [1], torch.optim.SGD])
def test_only_predictions_are_read(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r'a\.pkl: (cannot be read|expected|holds no)'):
        read_dump(path)
    assert not (tmp_path / 'ran').exists()


def test_tensors_are_read_as_they_are(tmp_path):
    sample = dict(
        a=torch.rand(3, 4).t(),
        b=torch.arange(6)[2:4],
        c=np.zeros((2, 0), np.float32),
        d=np.arange(3) > 1,
        e=('x', 1.5),
        f=torch.zeros(2, dtype=torch.uint8),
    )
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps([sample], protocol=4))
    (found,) = read_dump(path)
    for key, value in sample.items():
        if key == 'e':
            assert found[key] == value
        else:
            assert found[key].dtype == value.dtype
            assert found[key].tolist() == value.tolist()


@pytest.mark.parametrize('arguments, message', [
    (['no.py', 'no.pth'], "'no.py' not found"),
    ([__file__, __file__], 'expected a .pth or .pkl file'),
    ([__file__, 'a.pkl', '--split', 'x'], 'unrecognized arguments: --split x'),
    (['gt.npz', 'detections.npz', '--target-classes', '24'],
     'expected numbers below 24, got [24]'),
])  # fmt: skip
def test_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(golden.ROOT)
    if 'a.pkl' in arguments:
        monkeypatch.chdir(tmp_path)
        (tmp_path / 'a.pkl').touch()
    with pytest.raises(SystemExit) as left:
        tool.main(arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_damaged_files_are_one_line(trained, tmp_path):
    path = tmp_path / 'a.pkl'
    path.write_bytes(b'nothing')
    with pytest.raises(SystemExit, match=r'confusion_matrix\.py: .*a\.pkl'):
        tool.main([str(trained[1]), str(path)])
